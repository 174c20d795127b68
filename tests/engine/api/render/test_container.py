"""What clients are shown."""

from __future__ import annotations

from typing import Any

import pytest

from davit.api.render import container as render
from davit.model.config import ContainerConfig, HostConfig, PortBinding
from davit.model.container import Container, Details, Health, State, Status
from davit.model.network import EndpointIPAMConfig, EndpointSettings, Sandbox

SECOND = 10**9
MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
DAY = 24 * HOUR
ID = "abcdef012345" + "0" * 52


def container(**fields: Any) -> Container:
    return Container(
        id=ID,
        name="web",
        created=1_700_000_000 * SECOND,
        image_id="sha256:1",
        config=fields.pop("config", ContainerConfig(image="img", cmd=["a b", "c"])),
        host_config=fields.pop("host", HostConfig(network_mode="net")),
        path="a b",
        args=["c"],
        networks={"net": EndpointSettings(aliases=["x"])},
        **fields,
    )


def details(of: Container, **fields: Any) -> Details:
    return Details(
        container=of,
        sandbox=fields.pop("sandbox", None),
        directory="/data/c",
        root_fs="/run/c/rootfs",
        layers=["/low", "/high"],
        network_ids={"net": "n1"},
        **fields,
    )


SANDBOX = Sandbox(
    container_id=ID,
    name="web",
    hostname="web",
    netns="/run/netns/x",
    endpoints={
        "net": EndpointSettings(
            aliases=["x"],
            ip_address="10.0.0.2",
            dns_names=["web"],
            network_id="n1",
            ipam_config=EndpointIPAMConfig(ipv4_address="10.0.0.2"),
        )
    },
    ports={"80/tcp": [PortBinding(host_ip="0.0.0.0", host_port="8080")]},
)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "Less than a second"),
        (SECOND, "1 second"),
        (59 * SECOND, "59 seconds"),
        (MINUTE, "About a minute"),
        (59 * MINUTE, "59 minutes"),
        (HOUR, "About an hour"),
        (47 * HOUR, "47 hours"),
        (13 * DAY, "13 days"),
        (20 * DAY, "2 weeks"),
        (90 * DAY, "3 months"),
        (800 * DAY, "2 years"),
    ],
)
def test_human_duration(ns: int, text: str) -> None:
    assert render.human_duration(ns) == text


@pytest.mark.parametrize(
    ("status", "health", "text"),
    [
        (Status.CREATED, None, "Created"),
        (Status.RUNNING, None, "Up 3 seconds"),
        (Status.RUNNING, "starting", "Up 3 seconds (health: starting)"),
        (Status.RUNNING, "unhealthy", "Up 3 seconds (unhealthy)"),
        (Status.PAUSED, None, "Up 3 seconds (Paused)"),
        (Status.RESTARTING, None, "Restarting (5) 2 seconds ago"),
        (Status.EXITED, None, "Exited (5) 2 seconds ago"),
        (Status.DEAD, None, "Dead"),
    ],
)
def test_status(status: Status, health: str | None, text: str) -> None:
    state = State(status=status, started_at=SECOND, finished_at=2 * SECOND, exit_code=5)
    known = Health(status=health) if health else None
    assert render.status_text(container(state=state), known, 4 * SECOND) == text


def test_inspect_of_a_running_container() -> None:
    running = container(
        state=State(status=Status.RUNNING, pid=7, started_at=SECOND),
        config=ContainerConfig(image="img", exposed_ports={"80/tcp": {}, "53/udp": {}}),
    )
    shown = render.inspect(details(running, sandbox=SANDBOX, size_rw=1, size_root_fs=2), (1, 51))
    assert shown["Name"] == "/web"
    assert shown["Created"] == "2023-11-14T22:13:20Z"
    assert shown["State"]["Running"] is True
    assert "Health" not in shown["State"]
    assert (shown["SizeRw"], shown["SizeRootFs"]) == (1, 2)
    assert shown["GraphDriver"]["Data"]["LowerDir"] == "/high:/low"
    network = shown["NetworkSettings"]
    assert network["Ports"] == {
        "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}],
        "53/udp": None,
    }
    endpoint = network["Networks"]["net"]
    assert (endpoint["IPAddress"], endpoint["NetworkID"]) == ("10.0.0.2", "n1")
    assert endpoint["IPAMConfig"] == {"IPv4Address": "10.0.0.2"}
    assert endpoint["Aliases"] == ["x"]
    assert network["IPAddress"] == ""  # only the default bridge has the older fields
    assert shown["HostConfig"]["Binds"] is None
    assert "/proc/kcore" in shown["HostConfig"]["MaskedPaths"]


def test_older_versions_are_shown_what_they_know() -> None:
    running = container(state=State(status=Status.RUNNING))
    shown = render.inspect(details(running, sandbox=SANDBOX), (1, 41))
    endpoint = shown["NetworkSettings"]["Networks"]["net"]
    assert endpoint["Aliases"] == ["x", ID[:12]]
    assert "DNSNames" not in endpoint
    assert "GwPriority" not in endpoint


def test_summary() -> None:
    running = container(
        state=State(status=Status.RUNNING),
        config=ContainerConfig(image="img", exposed_ports={"53/udp": {}}, labels={"a": "b"}),
    )
    shown = render.summary(details(running, sandbox=SANDBOX, image_tagged=False), (1, 51))
    assert shown["Names"] == ["/web"]
    assert shown["Image"] == "sha256:1"
    assert shown["Command"] == "'a b' c"
    assert shown["Ports"] == [
        {"PrivatePort": 53, "Type": "udp"},
        {"PrivatePort": 80, "Type": "tcp", "IP": "0.0.0.0", "PublicPort": 8080},
    ]
    stopped = render.summary(details(container()), (1, 51))
    assert stopped["Ports"] == []
    assert stopped["NetworkSettings"]["Networks"]["net"]["NetworkID"] == "n1"
