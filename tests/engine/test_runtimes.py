"""Several OCI runtimes: a container stays with the one that it was created with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.conftest import Davitd, new_davitd

# It does as runc does, and says that it was asked.
_WRAPPER = """#!/bin/sh
echo "$*" >>"{log}"
exec runc "$@"
"""


class _Noted:
    """A second runtime that notes its commands."""

    def __init__(self, directory: Path) -> None:
        self.log = directory / "calls"
        self.program = directory / "noted"
        self.program.write_text(_WRAPPER.format(log=self.log))
        self.program.chmod(0o755)

    def verbs(self, container_id: str) -> set[str]:
        """What it was asked to do with the container since the last time."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        known = {"create", "start", "exec", "kill", "pause", "resume", "update", "delete"}
        words = [line.split() for line in lines]
        return {next(w for w in line if w in known) for line in words if container_id in line}


@pytest.fixture
def noted(tmp_path: Path) -> _Noted:
    return _Noted(tmp_path)


@pytest.fixture
def davitd(noted: _Noted) -> Iterator[Davitd]:
    with new_davitd("--add-runtime", f"noted={noted.program}") as daemon:
        daemon.load_busybox()
        yield daemon


def _run(davitd: Davitd, *flags: str) -> str:
    return davitd.docker("run", "-d", *flags, "busybox", "sleep", "1000").stdout.decode().strip()


def _runtime(davitd: Davitd, container_id: str) -> str:
    shown = davitd.docker("inspect", "-f", "{{.HostConfig.Runtime}}", container_id)
    return shown.stdout.decode().strip()


def test_each_container_has_its_own_also_after_a_restart(davitd: Davitd, noted: _Noted) -> None:
    one, other = _run(davitd, "--runtime", "noted"), _run(davitd)
    assert (_runtime(davitd, one), _runtime(davitd, other)) == ("noted", "runc")
    assert noted.verbs(one) == {"create", "start"}

    davitd.kill()
    # Not even its name is known now: what runs keeps its runtime.
    davitd.flags = ()
    davitd.start()
    for verb in (
        ["exec", one, "true"],
        ["pause", one],
        ["unpause", one],
        ["update", "--cpu-shares", "100", one],
        ["kill", one],
    ):
        davitd.docker(*verb)
    davitd.docker("wait", one)
    refused = davitd.docker("start", one, check=False)
    assert b"unknown or invalid runtime name: noted" in refused.stderr
    assert noted.verbs(one) == {"exec", "pause", "resume", "update", "kill", "delete"}

    davitd.docker("exec", other, "true")
    davitd.docker("rm", "-f", one, other)
    assert noted.verbs(other) == set()


def test_the_default_one(noted: _Noted) -> None:
    flags = ("--add-runtime", f"noted={noted.program}", "--default-runtime", "noted")
    with new_davitd(*flags) as davitd:
        davitd.load_busybox()
        one, other = _run(davitd), _run(davitd, "--runtime", "runc")
        assert (_runtime(davitd, one), _runtime(davitd, other)) == ("noted", "runc")
        assert "create" in noted.verbs(one)
        davitd.kill()
        # What is taken down from outside is taken down with the runtime of each, too.
        davitd.flags = ()
        noted.verbs(one)
        davitd.erase(data=False)
        assert noted.verbs(one) == {"delete"}
        davitd.start()


def test_they_are_shown_and_others_refused(davitd: Davitd, noted: _Noted) -> None:
    info = json.loads(davitd.docker("info", "-f", "{{json .}}").stdout)
    assert info["DefaultRuntime"] == "runc"
    assert {name: entry["path"] for name, entry in info["Runtimes"].items()} == {
        "runc": "runc",
        "noted": str(noted.program),
        "io.containerd.runc.v2": "runc",
    }
    refused = davitd.docker("create", "--runtime", "kata", "busybox", check=False)
    assert b"unknown or invalid runtime name: kata" in refused.stderr
