"""The time of a playbook run that has nothing to do.

One `davit.fleet.workload` task against davitd, and a looped `community.docker.docker_container`
task against dockerd, declare the same containers. Timed is the whole ansible-playbook process of
the second and later runs. Both use the same Ansible and the same Python, and no SSH.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

import yaml

from tests.bench.engines import IMAGE, Engine, remove_containers
from tests.bench.report import Row

ROOT = Path(__file__).resolve().parent.parent.parent
ENVIRONMENT = ROOT / ".venv-bench"
BUDGET = 0.20


def measure(moby: Engine, davit: Engine, root: Path, plays: int, containers: int) -> list[Row]:
    """Compare unchanged runs in seconds. The first run of each play creates and is not timed."""
    tasks = {moby.name: moby_task(moby, containers), davit.name: davit_task(davit, containers)}
    paths = {name: _write_play(root / f"{name}.yml", task) for name, task in tasks.items()}
    for engine in (moby, davit):
        remove_containers(engine)
        run_play(paths[engine.name])

    times: dict[str, list[float]] = {moby.name: [], davit.name: []}
    for turn in range(plays):
        for engine in (moby, davit) if turn % 2 else (davit, moby):
            start = time.perf_counter()
            changed = run_play(paths[engine.name])
            times[engine.name].append(time.perf_counter() - start)
            if changed:
                raise RuntimeError(f"{engine.name}: a repeated run changed {changed} tasks")
    return [
        Row(
            f"second run of a playbook, {containers} containers",
            "s",
            statistics.median(times[moby.name]),
            statistics.median(times[davit.name]),
            BUDGET,
        )
    ]


def moby_task(engine: Engine, count: int) -> dict[str, Any]:
    """Return the task as people write it today."""
    return {
        "community.docker.docker_container": {
            "docker_host": f"unix://{engine.socket}",
            "name": "{{ item }}",
            **_options(),
        },
        "loop": _names(count),
    }


def davit_task(engine: Engine, count: int) -> dict[str, Any]:
    """Return the one task that declares all of them."""
    return {
        "davit.fleet.workload": {
            "engine_host": f"unix://{engine.socket}",
            "project": "bench",
            "containers": [{"name": name, **_options()} for name in _names(count)],
        }
    }


def _names(count: int) -> list[str]:
    return [f"bench-{number}" for number in range(count)]


def _options() -> dict[str, Any]:
    return {
        "image": IMAGE,
        "command": ["/bin/sleep", "86400"],
        "env": {"LANG": "C.UTF-8", "STAGE": "bench"},
        "labels": {"team": "deck"},
        "memory": "64M",
        "restart_policy": "unless-stopped",
    }


def _write_play(path: Path, task: dict[str, Any]) -> Path:
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]
    path.write_text(yaml.safe_dump(play, sort_keys=False), encoding="utf-8")
    return path


def run_play(path: Path) -> int:
    """Run a playbook; return the number of changed tasks."""
    result = subprocess.run(
        [
            *(str(ENVIRONMENT / "bin/ansible-playbook"), "--inventory", "localhost,"),
            *("--connection", "local", str(path)),
            *("--extra-vars", f"ansible_python_interpreter={ENVIRONMENT / 'bin/python'}"),
        ],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    recap = re.search(r"changed=(\d+)\s+unreachable=0\s+failed=0", result.stdout)
    if result.returncode != 0 or recap is None:
        raise RuntimeError(f"{path.name}:\n{result.stdout[-4000:]}\n{result.stderr[-2000:]}")
    return int(recap[1])
