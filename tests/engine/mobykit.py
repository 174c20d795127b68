"""A Docker daemon (Moby's dockerd) beside davit, for tests."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from tests.engine.client import Client

_START_TIMEOUT = 60


class Moby:
    """A dockerd of its own, without networks. Called with words, it runs Docker's CLI."""

    def __init__(self, root: Path) -> None:
        self.client = Client(root / "s", version="v1.41")
        self._socket = f"unix://{root}/s"
        with (root / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "dockerd",
                    f"--data-root={root}/data",
                    f"--exec-root={root}/exec",
                    f"--host={self._socket}",
                    f"--pidfile={root}/pid",
                    "--bridge=none",
                    "--iptables=false",
                    "--ip6tables=false",
                ],
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + _START_TIMEOUT
        while subprocess.run(
            ["docker", "-H", self._socket, "info"], capture_output=True
        ).returncode:
            assert self._process.poll() is None, (root / "log").read_text()
            assert time.monotonic() < end, (root / "log").read_text()
            time.sleep(0.1)

    def __call__(self, *words: str, stdin: bytes = b"") -> bytes:
        run = subprocess.run(
            ["docker", "-H", self._socket, *words], input=stdin, capture_output=True
        )
        assert run.returncode == 0, run.stderr.decode()
        return run.stdout

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()
