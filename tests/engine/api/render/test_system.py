"""What ``info`` and ``events`` say, by API version and by machine."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from davit.api.render import system as render
from davit.config import Settings
from davit.model.event import Event
from davit.model.swarm import Manager, NodeState, SwarmInfo
from davit.model.system import Component, Counts, Host, Overview

ALL = frozenset({"cpu", "cpuset", "memory", "pids"})
HOST = Host(
    name="ship",
    kernel="6.1.0",
    architecture="x86_64",
    operating_system="Linux",
    os_version="1",
    cpus=2,
    memory=1 << 30,
    cgroup_version=1,
    controllers=ALL,
    swap_limit=True,
    cpu_quota=True,
    ip_forwarding=True,
    seccomp=True,
    apparmor=False,
    backing_filesystem="ext4",
)


def overview(settings: Settings | None = None, **host: Any) -> Overview:
    return Overview(
        instance_id="i",
        settings=settings or Settings(),
        host=replace(HOST, **host),
        counts=Counts(running=1, paused=1, stopped=2, images=3),
        runtime=Component(name="runc", version="1.1", commit="abc"),
        monitor=Component(name="conmon", version="2.1"),
        swarm=SwarmInfo(),
        init="/usr/bin/tini",
        open_files=9,
        tasks=3,
        listeners=0,
        started=0,
    )


@pytest.mark.parametrize(
    ("field", "first", "last"),
    [
        ("DiscoveredDevices", (1, 50), (1, 51)),
        ("FirewallBackend", (1, 49), (1, 51)),
        ("CDISpecDirs", (1, 44), (1, 51)),
        ("BridgeNfIptables", (1, 24), (1, 48)),
        ("KernelMemory", (1, 24), (1, 41)),
    ],
)
def test_fields_by_version(field: str, first: tuple[int, int], last: tuple[int, int]) -> None:
    known = [(1, minor) for minor in range(24, 52) if field in render.info(overview(), (1, minor))]
    assert (known[0], known[-1]) == (first, last)
    assert len(known) == last[1] - first[1] + 1


def test_worker_of_a_swarm() -> None:
    swarm = SwarmInfo(
        state=NodeState.ACTIVE,
        node_id="n1",
        node_addr="192.0.2.7",
        managers=[Manager("m1", "192.0.2.1:2377")],
    )
    assert render.info(replace(overview(), swarm=swarm), (1, 51))["Swarm"] == {
        "NodeID": "n1",
        "NodeAddr": "192.0.2.7",
        "LocalNodeState": "active",
        "ControlAvailable": False,
        "Error": "",
        "RemoteManagers": [{"NodeID": "m1", "Addr": "192.0.2.1:2377"}],
    }
    assert render.info(overview(), (1, 51))["Swarm"]["RemoteManagers"] is None


def test_older_versions_look_for_more_in_what_is_there() -> None:
    new, old = render.info(overview(), (1, 51)), render.info(overview(), (1, 47))
    assert new["RuncCommit"] == {"ID": "abc"}
    assert old["RuncCommit"] == {"ID": "abc", "Expected": "abc"}
    extra = old["RegistryConfig"].keys() - new["RegistryConfig"].keys()
    assert extra == {
        "AllowNondistributableArtifactsCIDRs",
        "AllowNondistributableArtifactsHostnames",
    }


def test_counts_and_paths() -> None:
    seen = render.info(overview(), (1, 51))
    assert (seen["Containers"], seen["ContainersStopped"], seen["Images"]) == (4, 2, 3)
    assert seen["InitBinary"] == "/usr/bin/tini"
    assert ["Backing Filesystem", "extfs"] in seen["DriverStatus"]
    assert seen["Warnings"] == []


@pytest.mark.parametrize(
    ("facts", "field", "warning"),
    [
        ({"controllers": ALL - {"memory"}}, "MemoryLimit", "No memory limit support"),
        ({"controllers": ALL - {"cpu"}}, "CPUShares", "No cpu shares support"),
        ({"controllers": ALL - {"cpuset"}}, "CPUSet", "No cpuset support"),
        ({"controllers": ALL - {"pids"}}, "PidsLimit", "No pids limit support"),
        ({"swap_limit": False}, "SwapLimit", "No swap limit support"),
        ({"cpu_quota": False}, "CpuCfsQuota", "No cpu cfs quota support"),
        ({"ip_forwarding": False}, "IPv4Forwarding", "IPv4 forwarding is disabled"),
    ],
)
def test_what_the_machine_lacks(facts: dict[str, Any], field: str, warning: str) -> None:
    assert render.info(overview(), (1, 51))[field] is True
    seen = render.info(overview(**facts), (1, 51))
    assert (seen[field], seen["Warnings"]) == (False, [f"WARNING: {warning}"])


@pytest.mark.parametrize(
    ("tls", "words"),
    [
        ({"tls": False}, "without encryption or authentication"),
        ({"tls": True}, "without TLS client verification"),
        ({"tls": True, "tls_verify": True}, ""),
    ],
)
def test_an_open_door_is_warned_of(tls: dict[str, Any], words: str) -> None:
    settings = Settings(hosts=("unix:///s", "tcp://10.0.0.1:2376"), **tls)
    warnings = render.info(overview(settings), (1, 51))["Warnings"]
    assert len(warnings) == bool(words)
    assert all("tcp://10.0.0.1:2376" in text and words in text for text in warnings)


def test_a_proxys_password_is_nobodys_business(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://me:secret@proxy:3128")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "localhost")
    seen = render.info(overview(), (1, 51))
    assert seen["HttpProxy"] == "http://xxxxx:xxxxx@proxy:3128"
    assert (seen["HttpsProxy"], seen["NoProxy"]) == ("http://proxy:3128", "localhost")


@pytest.mark.parametrize(
    ("kind", "old"),
    [
        ("container", {"status": "start", "id": "x", "from": "busybox"}),
        ("network", {}),
    ],
)
def test_events_have_the_old_fields_where_docker_has_them(kind: str, old: dict[str, str]) -> None:
    row = Event(
        type=kind, action="start", actor_id="x", attributes={"image": "busybox"}, time=1500000000
    )
    seen = render.event(row)
    assert {key: seen[key] for key in ("status", "id", "from") if key in seen} == old
    assert (seen["time"], seen["timeNano"]) == (1, 1500000000)


def test_registries() -> None:
    settings = Settings(
        insecure_registries=("10.0.0.0/8", "box:5000"), registry_mirrors=("http://mirror/",)
    )
    shown = render.info(overview(settings), (1, 51))["RegistryConfig"]
    assert shown["InsecureRegistryCIDRs"] == ["127.0.0.0/8", "::1/128", "10.0.0.0/8"]
    assert shown["Mirrors"] == ["http://mirror/"]
    hub, box = shown["IndexConfigs"]["docker.io"], shown["IndexConfigs"]["box:5000"]
    assert (hub["Secure"], hub["Official"], hub["Mirrors"]) == (True, True, ["http://mirror/"])
    assert (box["Secure"], box["Official"], box["Mirrors"]) == (False, False, [])
