"""Role engine with the flavor Moby, on a host of the lab that had no engine before."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.swarm.conftest import Host, Swarm
from tests.swarm.plays import LAB, Played, play

_PLAYBOOK = """
- hosts: spare
  gather_facts: false
  roles:
    - davit.fleet.engine
"""


@dataclass
class Role:
    """The role, applied to one host."""

    host: Host
    playbook: Path

    def refusal(self, **options: Any) -> str:
        """Return what a run tells that has to fail."""
        return self.apply(fails=True, **options).told

    def changes(self, *flags: str, **options: Any) -> int:
        """Return how many tasks have changed something."""
        return sum(self.apply(*flags, **options).changed.values())

    def apply(self, *flags: str, fails: bool = False, **options: Any) -> Played:
        settings = {f"davit_engine_{name}": value for name, value in options.items()}
        words = ["--inventory", str(LAB / "inventory.yml"), *flags]
        return play(self.playbook, settings, *words, fails=fails)

    def started(self) -> str:
        """Return since when the engine has been running."""
        return self.host.run(
            "systemctl", "show", "--property=ActiveEnterTimestampMonotonic", "docker"
        )

    def info(self) -> dict[str, Any]:
        found = json.loads(self.host.run("docker", "info", "--format", "{{json .}}"))
        assert isinstance(found, dict)
        return found


@pytest.fixture(scope="module")
def role(bed: Swarm, tmp_path_factory: pytest.TempPathFactory) -> Role:
    playbook = tmp_path_factory.mktemp("role") / "role.yml"
    playbook.write_text(_PLAYBOOK)
    return Role(bed.spare, playbook)


def test_installed_held_and_left_alone(role: Role) -> None:
    assert role.changes("--check") > 1
    role.host.run("test", "!", "-e", "/etc/docker/daemon.json")
    role.apply()
    assert role.changes() == 0
    version = role.host.run("dpkg-query", "--show", "--showformat=${Version}", "docker.io")
    assert role.changes("--check", version=f"{version.split('.')[0]}.*") == 0
    assert role.host.run("apt-mark", "showhold") == "docker.io"
    assert role.host.run("systemctl", "is-enabled", "docker") == "enabled"


def test_settings_are_taken_over_or_taken_back(role: Role) -> None:
    since = role.started()
    live = {"label": ["rack=4"], "registry-mirror": ["https://mirror.example"]}
    assert role.changes(config=live) == 2
    assert role.info()["Labels"] == ["rack=4"]
    assert role.info()["RegistryConfig"]["Mirrors"] == ["https://mirror.example/"]
    assert role.started() == since
    settled = {**live, "log-opt": ["max-size=1m"]}
    role.apply(config=settled, users=["daemon"])
    assert role.started() != since
    assert "daemon" in role.host.run("getent", "group", "docker")
    since = role.started()
    told = role.refusal(config={**settled, "gc-grace": 60})
    assert "gc-grace is not for hosts with Moby" in told
    told = role.refusal(config=settled, version="1.0")
    assert "the versions of docker.io that this host can install are" in told
    assert role.started() == since
    told = role.refusal(config=settled, moby_config={"no-such-setting": 1})
    assert "It runs with the settings from before" in told
    assert "no-such-setting" in told
    assert role.info()["Labels"] == ["rack=4"]


def test_the_other_flavor_only_where_it_is_said(role: Role) -> None:
    since = role.started()
    told = role.refusal(flavor="davit")
    assert "docker.service runs here" in told
    assert "davit_engine_other" in told
    assert role.started() == since
    role.apply(flavor="davit", other="remove")
    assert role.host.run("systemctl", "is-active", "davit") == "active"
    # Nothing of it runs, and nothing is left in the kernel.
    role.host.run("sh", "-c", "! pgrep dockerd && ! ls /sys/class/net | grep docker")
    role.host.run("sh", "-c", "! iptables-save | grep -i docker")
    role.apply(flavor="davit", state="absent")
    assert role.changes(state="absent") == 0
