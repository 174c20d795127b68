from pathlib import Path

import pytest

from davit.model.network import EndpointSettings, NetworkSpec
from davit.services.networks import names
from tests.engine.services.containers.world import World

SLEEP = ("sleep", "1000")


async def test_a_running_container_without_networks_can_be_connected(world: World) -> None:
    await world.networks.create(NetworkSpec(name="net"))
    container = await world.run("main", *SLEEP)
    await world.containers.disconnect("bridge", "main")
    await world.containers.restart("main", timeout=0)
    await world.containers.connect("net", "main", EndpointSettings())
    sandbox = world.networks.sandbox(container.id)
    assert sandbox is not None
    assert list(sandbox.endpoints) == ["net"]


async def test_the_first_user_defined_network_brings_its_names(world: World) -> None:
    await world.networks.create(NetworkSpec(name="net"))
    container = await world.run("main", *SLEEP)
    resolv_conf = world.paths.container(container.id) / "resolv.conf"
    before = resolv_conf.read_text()
    await world.containers.connect("net", "main", EndpointSettings())
    assert resolv_conf.read_text().startswith("nameserver 127.0.0.11\n")
    await world.containers.disconnect("net", "main")
    assert resolv_conf.read_text() == before
    resolv_conf.write_text("# mine\n")
    await world.containers.connect("net", "main", EndpointSettings())
    assert resolv_conf.read_text() == "# mine\n"


async def test_an_unedited_resolv_conf_follows_after_the_hosts_has_changed(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = tmp_path / "resolv.conf"
    monkeypatch.setattr(names, "_HOST", host)
    host.write_text("nameserver 192.0.2.1\n")
    await world.networks.create(NetworkSpec(name="net"))
    container = await world.run("main", *SLEEP)
    resolv_conf = world.paths.container(container.id) / "resolv.conf"
    inode = resolv_conf.stat().st_ino
    assert resolv_conf.read_text() == "nameserver 192.0.2.1\n"
    host.write_text("nameserver 192.0.2.2\n")
    await world.containers.connect("net", "main", EndpointSettings())
    assert resolv_conf.read_text().startswith("nameserver 127.0.0.11\n")
    await world.containers.disconnect("net", "main")
    assert resolv_conf.read_text() == "nameserver 192.0.2.2\n"
    assert resolv_conf.stat().st_ino == inode


async def test_network_sysctls_hold_without_a_network(world: World) -> None:
    container = await world.run(
        "main",
        "cat",
        "/proc/sys/net/ipv4/ip_default_ttl",
        HostConfig={"NetworkMode": "none", "Sysctls": {"net.ipv4.ip_default_ttl": "33"}},
    )
    await world.ended(container)
    assert world.log(container).strip() == "33"
