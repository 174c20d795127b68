"""docker-py's integration suite passes on davit as on dockerd, but for the exceptions.

What needs a swarm is one of these: davit is a worker. It passes against Moby's manager while a
davit worker carries all tasks, with the containers of tasks looked for on the worker, because the
suite assumes that they are on the engine that it talks to (``front.py``). Four tests cannot pass
so, because they want a swarm of one node; one more is not sure to (``exceptions-swarm.txt``).
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.compat import suite


@pytest.mark.timeout(900)
@pytest.mark.parametrize("flags", [(), ("--swarm",)])
def test_the_suite_passes_on_davit(flags: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.compat.docker_py", *flags],
        cwd=suite.ROOT,
        capture_output=True,
        text=True,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
