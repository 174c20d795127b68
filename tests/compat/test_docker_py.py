"""docker-py's integration suite passes on davit as on dockerd, but for the exceptions."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.compat import suite


@pytest.mark.timeout(900)
def test_the_suite_passes_on_davit() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.compat.docker_py"],
        cwd=suite.ROOT,
        capture_output=True,
        text=True,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
