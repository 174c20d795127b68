"""Names, asked for from inside of containers' namespaces."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import dnslib
import pytest

from davit.drivers import dns
from davit.model.network import EndpointSettings, Sandbox
from davit.services.networks import names
from davit.sys import netns
from tests.engine.services.networks.world import World, run_inside

SERVER = ("127.0.0.11", 53)


async def ask(
    sandbox: Sandbox, name: str, kind: str = "A", *, stream: bool = False
) -> dnslib.DNSRecord:
    question = dnslib.DNSRecord.question(name, kind)
    with netns.inside(Path(sandbox.netns)):
        client = socket.socket(socket.AF_INET, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    with client:
        await loop.sock_connect(client, SERVER)
        data = question.pack()
        await loop.sock_sendall(client, len(data).to_bytes(2, "big") + data if stream else data)
        answer = await asyncio.wait_for(loop.sock_recv(client, 65536), 5)
    record = dnslib.DNSRecord.parse(answer[2:] if stream else answer)
    assert record.header.id == question.header.id
    return record


async def addresses(sandbox: Sandbox, name: str) -> list[str]:
    record = await ask(sandbox, name)
    assert record.header.rcode == dnslib.RCODE.NOERROR
    return sorted(str(answer.rdata) for answer in record.rr)


@pytest.mark.parametrize("name", ["web", "WEB.", "web.app", "www", "www.app", "host-web"])
async def test_a_container_is_found_by_its_names(world: World, name: str) -> None:
    await world.network("app")
    web = await world.run("web", {"app": EndpointSettings(aliases=["www"])})
    cli = await world.run("cli", ["app"])
    expected = [web.endpoints["app"].ip_address]
    assert await addresses(cli, name) == expected
    assert await addresses(cli, web.container_id[:12]) == expected
    assert await addresses(web, name) == expected


async def test_over_tcp(world: World) -> None:
    await world.network("app")
    web = await world.run("web", ["app"])
    record = await ask(web, "web", stream=True)
    assert [str(answer.rdata) for answer in record.rr] == [web.endpoints["app"].ip_address]


async def test_a_real_client(world: World) -> None:
    await world.network("app")
    web, cli = await world.run("web", ["app"]), await world.run("cli", ["app"])
    shown = await asyncio.to_thread(
        run_inside, cli, "busybox", "nslookup", "-type=a", "web", SERVER[0]
    )
    assert web.endpoints["app"].ip_address in shown


async def test_containers_that_share_an_alias_share_the_load(world: World) -> None:
    await world.network("app")
    shared = {"app": EndpointSettings(aliases=["www"])}
    both = [await world.run("a1", shared), await world.run("a2", shared)]
    expected = sorted(sandbox.endpoints["app"].ip_address for sandbox in both)
    first = set()
    for _ in range(40):
        record = await ask(both[0], "www")
        assert sorted(str(answer.rdata) for answer in record.rr) == expected
        first.add(str(record.rr[0].rdata))
    assert sorted(first) == expected


async def test_a_link_is_a_name_for_one_asker_only(
    world: World, upstream: list[dnslib.DNSRecord]
) -> None:
    await world.network("app")
    web = await world.run("web", ["app"])
    linked = await world.run("linked", {"app": EndpointSettings(links=["web:db", "web"])})
    assert await addresses(linked, "db") == [web.endpoints["app"].ip_address]
    assert await addresses(linked, "web") == [web.endpoints["app"].ip_address]
    assert await addresses(web, "db") == []


async def test_a_known_name_has_no_ipv6_address(world: World) -> None:
    await world.network("app")
    web = await world.run("web", ["app"])
    record = await ask(web, "web", "AAAA")
    assert (record.header.rcode, record.rr) == (dnslib.RCODE.NOERROR, [])


async def test_an_address_has_a_name(world: World) -> None:
    await world.network("app")
    web = await world.run("web", ["app"])
    reverse = ".".join(reversed(web.endpoints["app"].ip_address.split("."))) + ".in-addr.arpa"
    record = await ask(web, reverse, "PTR")
    assert [str(answer.rdata) for answer in record.rr] == ["web.app."]


async def test_names_follow_connections_and_renaming(
    world: World, upstream: list[dnslib.DNSRecord]
) -> None:
    await world.network("app")
    web, cli = await world.run("web"), await world.run("cli", ["app"])
    app = world.service.resolve("app")
    assert await addresses(cli, "web") == []
    endpoint = await world.service.connect(web.container_id, app, EndpointSettings())
    assert await addresses(cli, "web") == [endpoint.ip_address]
    assert await addresses(web, "cli") == [cli.endpoints["app"].ip_address]
    await world.service.rename(web.container_id, "www")
    assert await addresses(cli, "www") == [endpoint.ip_address]
    assert await addresses(cli, "web") == []
    await world.service.disconnect(web.container_id, app)
    assert await addresses(cli, "www") == []


async def test_names_of_other_networks_are_not_told(
    world: World, upstream: list[dnslib.DNSRecord]
) -> None:
    await world.network("app")
    await world.network("other")
    await world.run("web", ["other"])
    cli = await world.run("cli", ["app"])
    assert await addresses(cli, "web") == []
    assert [str(question.q.qname) for question in upstream] == ["web."]


@pytest.mark.parametrize("stream", [False, True])
async def test_other_names_are_forwarded(
    world: World, upstream: list[dnslib.DNSRecord], stream: bool
) -> None:
    await world.network("app")
    cli = await world.run("cli", ["app"])
    record = await ask(cli, "known.example", stream=stream)
    assert [str(answer.rdata) for answer in record.rr] == ["192.0.2.53"]
    assert len(upstream) == 1


async def test_the_default_network_reaches_servers_on_the_hosts_loopback(
    world: World, upstream: list[dnslib.DNSRecord]
) -> None:
    await world.run("web")
    cli = await world.run("cli")
    assert await addresses(cli, "known.example") == ["192.0.2.53"]
    assert await addresses(cli, "web") == []  # no names there


async def test_nobody_answers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns, "TIMEOUT", 0.1)
    await world.network("app", ipam=world.subnet("10.232.1.0/24"))
    cli = await world.run("cli", ["app"], resolvers=["10.232.1.250"])
    record = await ask(cli, "known.example")
    assert record.header.rcode == dnslib.RCODE.SERVFAIL


async def test_an_internal_network_asks_nobody(
    world: World, upstream: list[dnslib.DNSRecord]
) -> None:
    await world.network("dark", internal=True)
    web = await world.run("web", ["dark"])
    assert await addresses(web, "web")
    assert (await ask(web, "known.example")).header.rcode == dnslib.RCODE.SERVFAIL
    assert upstream == []


async def test_own_resolvers_are_asked_from_inside(world: World) -> None:
    await world.network("app")
    cli = await world.run("cli", ["app"], resolvers=["127.0.0.1"])
    with netns.inside(Path(cli.netns)):
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))  # davit leaves port 53 to the container
    asked: list[dnslib.DNSRecord] = []
    transport = await _serve(server, asked)
    record = await ask(cli, "known.example")
    transport.close()
    assert [str(answer.rdata) for answer in record.rr] == ["192.0.2.53"]


async def test_davits_own_server_is_not_asked_by_itself(
    world: World, upstream: list[dnslib.DNSRecord]
) -> None:
    await world.network("app")
    cli = await world.run("cli", ["app"], resolvers=[SERVER[0]])
    assert await addresses(cli, "known.example") == ["192.0.2.53"]
    assert len(upstream) == 1


async def test_a_changed_host_is_followed(
    world: World, upstream: list[dnslib.DNSRecord], tmp_path: Path
) -> None:
    await world.network("app")
    cli = await world.run("cli", ["app"])
    (tmp_path / "resolv.conf").write_text("")
    assert (await ask(cli, "known.example")).header.rcode == dnslib.RCODE.SERVFAIL
    (tmp_path / "resolv.conf").write_text("nameserver 127.213.0.53\n")
    assert await addresses(cli, "known.example") == ["192.0.2.53"]


async def test_a_container_on_two_networks_is_found_on_both(world: World) -> None:
    await world.network("one")
    await world.network("two")
    both = await world.run("both", ["one", "two"])
    first, second = await world.run("c1", ["one"]), await world.run("c2", ["two"])
    for asker, network in ((first, "one"), (second, "two")):
        expected = [both.endpoints[network].ip_address]
        assert await addresses(asker, "both") == expected
        assert await addresses(asker, f"BOTH.{network}") == expected
    assert len(await addresses(both, "both")) == 2
    assert await addresses(both, "c1") == [first.endpoints["one"].ip_address]
    assert await addresses(both, "c2") == [second.endpoints["two"].ip_address]


async def test_garbage_is_not_answered(world: World) -> None:
    await world.network("app")
    cli = await world.run("cli", ["app"])
    with netns.inside(Path(cli.netns)):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with client:
        for garbage in (b"", b"\0", b"\xff" * 40, dnslib.DNSRecord.question("web").pack()[:-3]):
            client.sendto(garbage, SERVER)
    assert await addresses(cli, "cli") == [cli.endpoints["app"].ip_address]


async def test_names_come_back_after_a_restart(world: World) -> None:
    await world.network("app")
    cli = await world.run("cli", ["app"])
    await world.restart([cli.container_id])
    assert await addresses(cli, "cli") == [cli.endpoints["app"].ip_address]


@pytest.fixture
async def upstream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[list[dnslib.DNSRecord]]:
    """The host's name server: yields what it was asked."""
    asked: list[dnslib.DNSRecord] = []
    address = ("127.213.0.53", 53)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(address)
    transport = await _serve(udp, asked)

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(2), "big")
        answer = _answer(await reader.readexactly(size), asked)
        writer.write(len(answer).to_bytes(2, "big") + answer)
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(stream, *address)
    configuration = tmp_path / "resolv.conf"
    configuration.write_text(f"nameserver {address[0]}\n")
    monkeypatch.setattr(names, "_HOST", configuration)
    monkeypatch.setattr(names, "_UPLINKS", tmp_path / "missing")
    yield asked
    transport.close()
    listener.close()
    await listener.wait_closed()


async def _serve(udp: socket.socket, asked: list[dnslib.DNSRecord]) -> asyncio.DatagramTransport:
    class Protocol(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            self.transport.sendto(_answer(data, asked), addr)  # type: ignore[attr-defined]

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Protocol, sock=udp)
    return transport


def _answer(question: bytes, asked: list[dnslib.DNSRecord]) -> bytes:
    record = dnslib.DNSRecord.parse(question)
    asked.append(record)
    reply = record.reply()
    if str(record.q.qname) == "known.example.":
        reply.add_answer(dnslib.RR(record.q.qname, rdata=dnslib.A("192.0.2.53"), ttl=1))
    packed: bytes = reply.pack()
    return packed
