"""Role engine with the flavor Moby, on a host of the lab that had no engine before."""

from __future__ import annotations

import json
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.engine import tlskit
from tests.engine.tlskit import Authority
from tests.swarm.conftest import Host, Swarm
from tests.swarm.plays import LAB, Played, play

_PLAYBOOK = """
- hosts: spare
  gather_facts: false
  roles:
    - davit.fleet.engine
"""

# The alert may come too late: then there is nobody to write to.
_REFUSED = (ssl.SSLError, BrokenPipeError, ConnectionResetError)


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
    version = role.host.run("dpkg-query", "--show", "--showformat=${Version}", "docker.io")
    assert role.changes() == 0
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
    # As many starts in a minute as its unit allows.
    thrice = "systemctl reset-failed docker && for i in 1 2 3; do systemctl restart docker; done"
    role.host.run("sh", "-c", thrice)
    since = role.started()
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


def test_mutual_tls(role: Role, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    home, stranger = authority.sign("both"), Authority(tmp_path / "other").sign("stranger")
    settings = {"host": ["unix:///run/davit/davit.sock", "tcp://0.0.0.0:2376"]}
    role.apply(config=settings, tls=_files(home))
    assert role.host.run("docker", "info", "--format", "{{.ServerVersion}}")
    assert _answer(role.host, tlskit.client(home)) == "HTTP/1.1 200 OK"
    unknown = ssl.create_default_context(cafile=home / "ca.pem")
    with pytest.raises(_REFUSED):
        _answer(role.host, unknown)
    unknown.load_cert_chain(stranger / "cert.pem", stranger / "key.pem")
    with pytest.raises(_REFUSED):
        _answer(role.host, unknown)
    # What does not fit together does not stay.
    mixed = {**_files(home), "certificate": str(stranger / "cert.pem")}
    told = role.refusal(config=settings, tls=mixed)
    assert "It runs with the settings from before" in told
    assert "private key does not match public key" in told
    assert _answer(role.host, tlskit.client(home)) == "HTTP/1.1 200 OK"
    # Renewed files, and a restart; else there is nothing to do.
    assert role.changes(config=settings, tls=_files(authority.sign("renewed"))) == 2
    assert _answer(role.host, tlskit.client(home)) == "HTTP/1.1 200 OK"
    assert role.host.run("ls", "/etc/docker/tls").split() == ["ca.pem", "cert.pem", "key.pem"]
    assert role.host.run("stat", "--format=%a", "/etc/docker/tls/key.pem") == "600"


def _files(home: Path) -> dict[str, str]:
    names = {"ca": "ca", "certificate": "cert", "key": "key"}
    return {option: str(home / f"{name}.pem") for option, name in names.items()}


def _answer(host: Host, context: ssl.SSLContext) -> str:
    """Return the first line of the engine's answer on TCP."""
    with (
        socket.create_connection((host.address, 2376), timeout=10) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as connection,
    ):
        connection.sendall(b"GET /_ping HTTP/1.1\r\nHost: engine\r\n\r\n")
        return connection.recv(4096).partition(b"\r\n")[0].decode()


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
