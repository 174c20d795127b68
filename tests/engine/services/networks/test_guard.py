"""What others take away comes back, on a host that is a network namespace of its own."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from davit.sys import netns
from tests.engine.conftest import Davitd, new_davitd

FOREIGN = (
    "table inet stranger {\n\tset s {\n\t\ttype ipv4_addr\n\t\telements = { 10.9.9.9 }\n\t}\n}\n"
)


class Apart(Davitd):
    """Serves in a network namespace of its own: nobody else's rules are there to be hurt."""

    def _argv(self, command: str = "serve") -> list[str]:
        argv = super()._argv(command)
        if command != "serve":
            return argv
        return ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh", *argv]

    @property
    def namespace(self) -> Path:
        return Path(f"/proc/{self.pid}/ns/net")

    def on_host(self, *command: str) -> str:
        """Run a command where the daemon is."""
        with netns.inside(self.namespace):
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout

    def fetch(self, port: int = 8080) -> str:
        """The first line of what a published port answers."""
        with netns.inside(self.namespace):
            client = socket.create_connection(("127.0.0.1", port), timeout=2)
        with client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return client.recv(100).partition(b"\r\n")[0].decode()

    def answers(self) -> bool:
        try:
            return self.fetch().startswith("HTTP/1.")
        except OSError:
            return False


@pytest.fixture(scope="module")
def host() -> Iterator[Apart]:
    with new_davitd(kind=Apart) as daemon:
        assert isinstance(daemon, Apart)
        daemon.load_busybox()
        daemon.docker(
            *("run", "-d", "--name", "web", "-p", "8080:80"), "busybox", "httpd", "-f", "-p", "80"
        )
        daemon.docker("network", "create", "app")
        daemon.docker("network", "create", "--ipv6", "six")
        daemon.docker("network", "connect", "app", "web")
        daemon.docker("run", "-d", "--name", "cli", "--network", "app", "busybox", "sleep", "600")
        until(daemon.answers)
        yield daemon
        daemon.docker("rm", "-f", "web", "cli")
        daemon.docker("network", "rm", "app", "six")


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def test_a_flushed_packet_filter_comes_back(host: Apart) -> None:
    before = host.on_host("nft", "-s", "list", "ruleset")
    host.on_host("nft", "flush", "ruleset")
    until(lambda: host.on_host("nft", "-s", "list", "ruleset") == before)
    assert host.answers()
    assert "somebody changed or flushed the nft table davit_" in host.log.read_text()


def test_the_half_for_ipv6_comes_back_alone(host: Apart) -> None:
    table = ("ip6", f"davit_{host.settings.instance}")
    before = host.on_host("nft", "-s", "list", "table", *table)
    host.on_host("nft", "delete", "table", *table)
    until(lambda: " ".join(table) in host.on_host("nft", "list", "tables"))
    assert host.on_host("nft", "-s", "list", "table", *table) == before


def test_strangers_tables_stay_as_they_are(host: Apart) -> None:
    before = host.on_host("nft", "-s", "list", "ruleset")
    with netns.inside(host.namespace):
        subprocess.run(["nft", "-f", "-"], input=FOREIGN, text=True, check=True)
    host.on_host("nft", "delete", "table", "ip", f"davit_{host.settings.instance}")
    until(
        lambda: f"table ip davit_{host.settings.instance}" in host.on_host("nft", "list", "tables")
    )
    host.docker("restart", "-t0", "web")
    until(host.answers)
    assert host.on_host("nft", "list", "table", "inet", "stranger") == FOREIGN
    host.on_host("nft", "delete", "table", "inet", "stranger")
    assert sorted(host.on_host("nft", "-s", "list", "ruleset")) == sorted(before)


def test_a_deleted_bridge_comes_back_with_what_was_plugged_in(host: Apart) -> None:
    bridges = [f"davit-{host.settings.instance}"]
    for network in ("app", "six"):
        shown = host.docker("network", "inspect", "-f", "{{.Id}}", network).stdout.decode()
        bridges.append(f"br-{shown[:12]}")

    def addresses() -> list[str]:
        shown = [line.split() for line in host.on_host("ip", "-o", "address").splitlines()]
        return sorted(words[3] for words in shown if words[1] in bridges and "global" in words)

    before = addresses()
    for bridge in bridges:
        host.on_host("ip", "link", "delete", bridge)
    until(lambda: addresses() == before)
    assert len(before) == 4, "one of IPv6"
    until(host.answers)
    ping = ("exec", "cli", "ping", "-c1", "-w1", "web")
    until(lambda: host.docker(*ping, check=False).returncode == 0)
    assert "somebody deleted the bridge" in host.log.read_text()


@pytest.mark.parametrize("key", ["ipv4/ip_forward", "ipv6/conf/all/forwarding"])
def test_forwarding_is_switched_on_again(host: Apart, key: str) -> None:
    with netns.inside(host.namespace):
        switch = Path("/proc/sys/net", key)
        switch.write_text("0")
        until(lambda: switch.read_text() == "1\n")
    said = f"somebody set net.{key.replace('/', '.')} to 0"
    until(lambda: said in host.log.read_text())


def test_a_host_that_begins_to_drop_is_warned_of(host: Apart) -> None:
    host.on_host("nft", "add", "table", "ip", "filter")
    chain = "{ type filter hook forward priority 0; policy drop; }"
    host.on_host("nft", "add", "chain", "ip", "filter", "FORWARD", chain)
    until(lambda: "the policy of iptables' FORWARD chain is drop" in host.log.read_text())
    assert host.on_host("nft", "list", "table", "ip", "filter").count("\n") == 5, "left as it is"
    host.on_host("nft", "delete", "table", "ip", "filter")


def test_changes_of_davits_own_are_not_repaired(host: Apart) -> None:
    def repairs() -> int:
        return host.log.read_text().count("somebody changed")

    before = repairs()
    for _ in range(2):
        host.docker("run", "--rm", "-p", "80", "busybox", "true")
    host.docker("network", "create", "other")
    host.docker("network", "rm", "other")
    host.on_host("nft", "flush", "ruleset")  # this one is
    until(lambda: repairs() > before)
    until(host.answers)
    assert repairs() == before + 1
