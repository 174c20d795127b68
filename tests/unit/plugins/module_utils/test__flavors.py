"""Which engines a host has."""

from __future__ import annotations

import pytest

from ansible_collections.davit.fleet.plugins.module_utils import _flavors


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A directory that is all of PATH; returns how to put a shell script into it."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def put(name, text):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}")
        (tmp_path / name).chmod(0o755)

    return put


def test_a_machine_without_systemd_and_dpkg(programs):
    assert _flavors.running() == []
    assert _flavors.packages() == {}


def test_services_that_run(programs):
    programs("systemctl", '[ "$3" = docker.service ]')
    assert _flavors.running() == ["moby"]


def test_packages(programs):
    # As dpkg-query answers for a held one, one that was removed, and one it never heard of.
    rows = "docker.io\\thold\\tinstalled\\t20.10\\ndocker-ce\\tdeinstall\\tconfig-files\\t5:27\\n"
    programs("dpkg-query", f"printf '{rows}'; exit 1")
    assert _flavors.packages() == {"docker.io": {"version": "20.10", "held": True}}
