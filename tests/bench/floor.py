"""What conmon and runc alone need for a container: the floor under every engine built on them."""

from __future__ import annotations

import itertools
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.bench.engines import Engine
from tests.bench.memory import run_sleeper

PHASES = ("conmon and runc create", "runc start", "process and its end", "runc delete")


class Floor:
    """Bare lives of a container that is davitd's in everything else.

    A container of davitd's sleeps: its layers stay mounted, its namespace is there, and its
    specification tells what runc is to do.
    """

    def __init__(self, engine: Engine, root: Path) -> None:
        sleeper = run_sleeper(engine, "none")
        bundle = engine.root / "run/containers" / sleeper
        self._spec: dict[str, Any] = json.loads((bundle / "config.json").read_bytes())
        self._root = root
        self._runtime = ["runc", "--root", str(root / "runc")]

    def live_once(self, number: int) -> dict[str, float]:
        """Run /bin/true once; return the seconds of each of :data:`PHASES`."""
        name = f"floor{number}"
        home = self._root / name
        home.mkdir(parents=True)
        self._spec["process"]["args"] = ["/bin/true"]
        self._spec["linux"]["cgroupsPath"] = f"/davit-bench/{name}"
        (home / "config.json").write_text(json.dumps(self._spec), encoding="utf-8")
        marks = [time.perf_counter()]
        self._create(name, home)
        marks.append(time.perf_counter())
        monitor = os.pidfd_open(int((home / "conmon.pid").read_text()))
        subprocess.run([*self._runtime, "start", name], check=True)
        marks.append(time.perf_counter())
        select.select([monitor], [], [])
        os.close(monitor)
        marks.append(time.perf_counter())
        subprocess.run([*self._runtime, "delete", name], check=True)
        marks.append(time.perf_counter())
        if (home / name).read_text() != "0":
            raise RuntimeError(f"/bin/true ended with {(home / name).read_text()}")
        shutil.rmtree(home)
        durations = (after - before for before, after in itertools.pairwise(marks))
        return dict(zip(PHASES, durations, strict=True))

    def _create(self, name: str, home: Path) -> None:
        reader, writer = os.pipe()
        with os.fdopen(reader) as report:
            subprocess.run(
                [
                    *("conmon", "--api-version", "1", "--cid", name, "--cuuid", name),
                    *("--name", name, "--runtime", shutil.which("runc") or "runc"),
                    *(f"--runtime-arg=--root={self._root / 'runc'}", "--bundle", str(home)),
                    *("--container-pidfile", str(home / "pid")),
                    *("--conmon-pidfile", str(home / "conmon.pid")),
                    *("--socket-dir-path", str(home), "--exit-dir", str(home)),
                    *("--no-sync-log", "--log-level", "error"),
                    *("--log-path", f"k8s-file:{home / 'log'}"),
                ],
                check=True,
                pass_fds=[writer],
                env={**os.environ, "_OCI_SYNCPIPE": str(writer)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
            os.close(writer)
            answer = json.loads(report.readline())
        if answer["data"] < 0:
            raise RuntimeError(f"runc create: {answer}")
