"""Networks by the Docker CLI: modes, families, several networks at once, while containers run."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.engine.compat.cli import needs, output, run
from tests.engine.conftest import Davitd

ROUTED = ("-o", "com.docker.network.bridge.gateway_mode_ipv6=routed")


@pytest.fixture
def clean(shared_davitd: Davitd) -> Iterator[Davitd]:
    """The module's daemon; containers and networks of a test end with it."""
    yield shared_davitd
    for box in output(shared_davitd.docker("ps", "-aq")).split():
        shared_davitd.docker("rm", "-f", box)
    shared_davitd.docker("network", "prune", "-f")


def inspect(davitd: Davitd, kind: str, name: str) -> Any:
    return json.loads(output(davitd.docker(kind, "inspect", name)))[0]


def inside(davitd: Davitd, name: str, *command: str) -> str:
    return output(davitd.docker("exec", name, *command))


def test_host_and_none_show_their_containers(clean: Davitd) -> None:
    for network in ("host", "none"):
        box = run(clean, "--name", f"on-{network}", "--network", network)
        shown = inspect(clean, "network", network)["Containers"]
        endpoint = inspect(clean, "container", box)["NetworkSettings"]["Networks"][network]
        assert shown == {
            box: {
                "Name": f"on-{network}",
                "EndpointID": endpoint["EndpointID"],
                "MacAddress": "",
                "IPv4Address": "",
                "IPv6Address": "",
            }
        }
        assert len(endpoint["EndpointID"]) == 64
        clean.docker("stop", "-t0", box)
        assert inspect(clean, "network", network)["Containers"] == {}
        stopped = inspect(clean, "container", box)["NetworkSettings"]["Networks"][network]
        assert stopped["EndpointID"] == ""


def test_published_ports_of_a_routed_family(clean: Davitd) -> None:
    clean.docker("network", "create", "--ipv6", *ROUTED, "app")
    run(clean, "--name", "web", "--network", "app", "-p", "8089:80")
    ports = inspect(clean, "container", "web")["NetworkSettings"]["Ports"]
    assert ports == {
        "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8089"}, {"HostIp": "::", "HostPort": ""}]
    }
    assert "0.0.0.0:8089->80/tcp" in output(clean.docker("ps", "--format", "{{.Ports}}"))


@needs(28)
def test_a_network_with_ipv6_alone(clean: Davitd) -> None:
    clean.docker("network", "create", "--ipv4=false", "--ipv6", "six")
    shown = inspect(clean, "network", "six")
    assert (shown["EnableIPv4"], shown["EnableIPv6"]) == (False, True)
    run(clean, "--name", "web", "--network", "six")
    address = inspect(clean, "container", "web")["NetworkSettings"]["Networks"]["six"]
    assert (address["IPAddress"], address["Gateway"]) == ("", "")
    ping = clean.docker(
        *("run", "--rm", "--network", "six", "busybox", "ping", "-6", "-c1", "-w5", "web")
    )
    assert address["GlobalIPv6Address"].encode() in ping.stdout
    assert f"{address['GlobalIPv6Address']}\t" in inside(clean, "web", "cat", "/etc/hosts")
    assert "inet addr" not in inside(clean, "web", "ifconfig", "eth0")


@needs(28)
def test_the_default_route_follows_the_priority_while_the_container_runs(clean: Davitd) -> None:
    for name in ("low", "high"):
        clean.docker("network", "create", "--ipv6", name)
    gateways = {
        name: [pool["Gateway"] for pool in inspect(clean, "network", name)["IPAM"]["Config"]]
        for name in ("low", "high")
    }
    run(clean, "--name", "web", "--network", "low")

    def routes() -> list[str]:
        lines = (
            inside(clean, "web", "ip", "route") + "\n" + inside(clean, "web", "ip", "-6", "route")
        )
        return [line.split()[2] for line in lines.splitlines() if line.startswith("default")]

    assert routes() == gateways["low"]
    clean.docker("network", "connect", "--gw-priority", "5", "high", "web")
    assert routes() == gateways["high"]
    assert (
        inspect(clean, "container", "web")["NetworkSettings"]["Networks"]["high"]["GwPriority"] == 5
    )
    clean.docker("restart", "-t0", "web")
    assert routes() == gateways["high"]
    clean.docker("network", "disconnect", "high", "web")
    assert routes() == gateways["low"]


def test_etc_hosts_follows_connect_and_disconnect(clean: Davitd) -> None:
    clean.docker("network", "create", "--ipv6", "app")
    run(clean, "--name", "web", "--hostname", "pier")
    before = inside(clean, "web", "cat", "/etc/hosts")
    clean.docker("network", "connect", "app", "web")
    held = inspect(clean, "container", "web")["NetworkSettings"]["Networks"]["app"]
    added = inside(clean, "web", "cat", "/etc/hosts").removeprefix(before).split("\n")
    assert added[1:] == [f"{held['IPAddress']}\tpier", f"{held['GlobalIPv6Address']}\tpier"]
    clean.docker("network", "disconnect", "app", "web")
    assert inside(clean, "web", "cat", "/etc/hosts") == before


def test_a_container_reaches_its_own_port_at_the_hosts_address(clean: Davitd) -> None:
    clean.docker("network", "create", "app")
    clean.docker(
        *("run", "-d", "--name", "web", "--network", "app", "-p", "80", "busybox"),
        *("sh", "-c", "echo hello >/var/www/index.html; exec httpd -f -p 80 -h /var/www"),
    )
    port = output(clean.docker("port", "web", "80/tcp")).rpartition(":")[2]
    gateway = inspect(clean, "network", "app")["IPAM"]["Config"][0]["Gateway"]
    asked = f"printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | nc -w5 {gateway} {port}"
    assert inside(clean, "web", "sh", "-c", asked).endswith("hello")


def test_ranges_of_ports_and_addresses_of_one_family(clean: Davitd) -> None:
    clean.docker("network", "create", "--ipv6", "app")
    run(
        *(clean, "--name", "web", "--network", "app", "-p", "127.0.0.1:28000-28002:80-82"),
        *("-p", "[::]:28010:90", "-p", "28020-28030:91/udp"),
    )
    ports = inspect(clean, "container", "web")["NetworkSettings"]["Ports"]
    for number in range(3):
        expected = [{"HostIp": "127.0.0.1", "HostPort": str(28000 + number)}]
        assert ports[f"{80 + number}/tcp"] == expected
    assert ports["90/tcp"] == [{"HostIp": "::", "HostPort": "28010"}]
    chosen = ports["91/udp"]
    assert [side["HostIp"] for side in chosen] == ["0.0.0.0", "::"]
    assert 28020 <= int(chosen[0]["HostPort"]) <= 28030
    with socket.socket() as free:  # held on the one family alone
        free.bind(("0.0.0.0", 28010))


def test_a_configuration_and_a_network_of_it(clean: Davitd) -> None:
    clean.docker("network", "create", "--config-only", "--subnet", "10.235.77.0/24", "conf")
    clean.docker("network", "create", "--config-from", "conf", "app")
    conf, app = inspect(clean, "network", "conf"), inspect(clean, "network", "app")
    assert (conf["ConfigOnly"], conf["Driver"], app["ConfigFrom"]) == (
        True,
        "null",
        {"Network": "conf"},
    )
    address = "{{.NetworkSettings.Networks.app.IPAddress}}"
    box = run(clean, "--network", "app")
    assert output(clean.docker("inspect", "-f", address, box)) == "10.235.77.2"
    refused = clean.docker("run", "--network", "conf", "busybox", "true", check=False)
    assert b"configuration-only network conf" in refused.stderr
    clean.docker("rm", "-f", box)
    clean.docker("network", "rm", "app", "conf")
