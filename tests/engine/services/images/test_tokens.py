"""Pulls and pushes at a real registry that wants tokens, from a server that signs them."""

from __future__ import annotations

import asyncio
import http.client
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from davit.drivers.registry.client import RegistryClient
from davit.errors import Forbidden, NotFound
from davit.model.image import Image, Progress
from davit.model.reference import Reference
from davit.model.registry import Credentials
from davit.services.images.pull import Puller
from davit.services.images.push import Pusher
from tests.engine.faultkit import Fault, FaultyProxy
from tests.engine.imagekit import busybox, compress, digest, files
from tests.engine.registrykit import PASSWORD, USER, Shelf, registry
from tests.engine.services.images.conftest import Kit
from tests.engine.tokenkit import LEEWAY, REFRESH, TokenServer, token_server

KNOWN = Credentials(USER, PASSWORD)
IMAGE = busybox(extra=[files({"noise": random.Random(11).randbytes(300_000)})])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenServer]:
    with token_server(tmp_path_factory.mktemp("tokens")) as running:
        yield running


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="module")
def address(server: TokenServer, storage: Path) -> Iterator[str]:
    with registry(storage, tokens=server.settings) as found:
        for path in ("public", "private", "closed"):
            headers = server.header(f"repository:{path}:pull,push")
            Shelf(found, path, headers).image("1", IMAGE)
        yield found


@pytest.fixture(autouse=True)
def rules(server: TokenServer) -> None:
    server.anybody, server.closed = {"public"}, {"closed"}
    server.lifetimes = [300]
    server.asked.clear()
    server.given.clear()


class Remote:
    """Pulls and pushes of a store."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        client = RegistryClient(["127.0.0.0/8"])
        self._puller = Puller(kit.images.content, client)
        self._pusher = Pusher(kit.images.content, client)
        self.lines: list[Progress] = []

    async def pull(self, name: str, credentials: Credentials | None = None) -> Image:
        return await self._puller.pull(
            Reference.parse(name), "", credentials or Credentials(), self.lines.append
        )

    async def push(self, name: str, credentials: Credentials = KNOWN) -> None:
        await self._pusher.push(Reference.parse(name), credentials, self.lines.append)

    def count(self, status: str) -> int:
        return sum(line.status == status for line in self.lines)


@pytest.fixture
def remote(kit: Kit) -> Remote:
    return Remote(kit)


async def test_nobody_in_particular(remote: Remote, server: TokenServer, address: str) -> None:
    assert (await remote.pull(f"{address}/public:1")).id == IMAGE.id
    # Three layers and three documents, and one token for all of them.
    (asked,) = server.asked
    assert (asked.method, asked.user, asked.scopes) == ("GET", "", {"repository:public:pull"})
    assert asked.parameters["service"] == ["harbour registry"]
    with pytest.raises(NotFound) as caught:
        await remote.pull(f"{address}/private:1")
    assert caught.value.message == (
        f"pull access denied for {address}/private, repository does not exist or may require "
        "'docker login': denied: requested access to the resource is denied"
    )


async def test_a_password(remote: Remote, server: TokenServer, address: str) -> None:
    assert (await remote.pull(f"{address}/private:1", KNOWN)).id == IMAGE.id
    (asked,) = server.asked
    assert (asked.method, asked.user) == ("GET", USER)
    assert asked.parameters["account"] == [USER]


async def test_an_identity_token(remote: Remote, server: TokenServer, address: str) -> None:
    identity = await RegistryClient(["127.0.0.0/8"]).login(address, KNOWN)
    assert identity == REFRESH
    server.asked.clear()
    known = Credentials("<token>", identity_token=identity)
    assert (await remote.pull(f"{address}/private:1", known)).id == IMAGE.id
    (asked,) = server.asked
    assert (asked.method, asked.user) == ("POST", USER)
    assert asked.scopes == {"repository:private:pull"}


async def test_a_token_of_the_clients(remote: Remote, server: TokenServer, address: str) -> None:
    token = server.header("repository:private:pull")["Authorization"].removeprefix("Bearer ")
    known = Credentials(registry_token=token)
    assert (await remote.pull(f"{address}/private:1", known)).id == IMAGE.id
    assert server.asked == []


@pytest.mark.parametrize(
    "credentials", [Credentials(USER, "wrong"), Credentials("<token>", identity_token="old")]
)
async def test_who_is_refused_is_told_what_to_do(
    remote: Remote, kit: Kit, address: str, credentials: Credentials
) -> None:
    await kit.load(busybox(f"{address}/private:2"))
    for work in (remote.pull, remote.push):
        with pytest.raises(Forbidden) as caught:
            await work(f"{address}/private:2", credentials)
        assert "unauthorized: incorrect username or password" in caught.value.message
        assert caught.value.message.endswith(f": log in with 'docker login {address}'")


async def _expired(address: str, token: str) -> None:
    """Wait until the registry does not believe a token any more."""

    def status() -> int:
        connection = http.client.HTTPConnection(address, timeout=20)
        try:
            headers = {"Authorization": f"Bearer {token}"}
            connection.request("GET", "/v2/private/manifests/1", headers=headers)
            return connection.getresponse().status
        finally:
            connection.close()

    for _ in range(300):
        if await asyncio.to_thread(status) == 401:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the token does not expire")


async def test_a_token_that_expires_in_the_middle(
    remote: Remote, server: TokenServer, address: str
) -> None:
    server.lifetimes = [2 - LEEWAY, 300]
    noise, gate = digest(compress(IMAGE.layers[1])), asyncio.Event()
    async with FaultyProxy(address).running() as proxy:
        proxy.faults = [Fault(f"/blobs/{noise}", cut=100_000, gate=gate)]
        running = asyncio.create_task(remote.pull(f"{proxy.address}/private:1", KNOWN))
        await proxy.asked(noise)
        await _expired(address, server.given[0])
        gate.set()
        assert (await running).id == IMAGE.id
        assert len(server.asked) == 2
        # Once refused, and then with a new token from where it was cut.
        assert proxy.ranges == ["bytes=100000-"] * 2


async def test_a_push(remote: Remote, server: TokenServer, kit: Kit, address: str) -> None:
    await kit.load(busybox(f"{address}/pushed:1"))
    await remote.push(f"{address}/pushed:1")
    assert [asked.scopes for asked in server.asked] == [{"repository:pushed:pull,push"}]
    with pytest.raises(Forbidden, match="denied: requested access to the resource is denied"):
        await remote.push(f"{address}/pushed:1", Credentials())


async def test_a_mount_needs_two_scopes(
    remote: Remote, server: TokenServer, kit: Kit, address: str
) -> None:
    image = await remote.pull(f"{address}/private:1", KNOWN)
    await kit.images.tag(image.id, f"{address}/copy:1")
    server.asked.clear()
    await remote.push(f"{address}/copy:1")
    assert remote.count("Mounted from private") == len(IMAGE.layers)
    both = {"repository:copy:pull,push", "repository:private:pull"}
    assert both in [asked.scopes for asked in server.asked]


async def test_what_may_not_be_mounted_is_uploaded(
    remote: Remote, server: TokenServer, kit: Kit, address: str
) -> None:
    server.closed = set()
    image = await remote.pull(f"{address}/closed:1", KNOWN)
    server.closed = {"closed"}
    await kit.images.tag(image.id, f"{address}/aside:1")
    await remote.push(f"{address}/aside:1")
    assert remote.count("Pushed") == len(IMAGE.layers)


# --- sent on to another host


async def test_another_host_is_not_told_who_we_are(
    remote: Remote, server: TokenServer, address: str, storage: Path
) -> None:
    noise = digest(compress(IMAGE.layers[1]))
    target = f"/v2/private/blobs/{noise}"
    with registry(storage) as everybody:
        async with FaultyProxy(address).running() as proxy, FaultyProxy(everybody).running() as cdn:
            away = {"Location": f"http://{cdn.address}{target}"}
            # Two tries: the download goes on where it was cut, by way of the registry.
            proxy.faults = [Fault(target, status=307, headers=away, times=2)]
            cdn.faults = [Fault(target, cut=100_000)]
            assert (await remote.pull(f"{proxy.address}/private:1", KNOWN)).id == IMAGE.id
            assert cdn.requests == [("GET", target)] * 2
            assert cdn.ranges == ["bytes=100000-"]
            assert cdn.authorizations == ["", ""]
            assert f"Bearer {server.given[0]}" in proxy.authorizations


async def test_another_host_cannot_ask_for_a_password(
    remote: Remote, server: TokenServer, address: str
) -> None:
    target = f"/v2/private/blobs/{digest(compress(IMAGE.layers[1]))}"
    async with FaultyProxy(address).running() as proxy, FaultyProxy(address).running() as cdn:
        away = {"Location": f"http://{cdn.address}{target}"}
        proxy.faults = [Fault(target, status=307, headers=away)]
        with pytest.raises(Forbidden, match="unauthorized: authentication required"):
            await remote.pull(f"{proxy.address}/private:1", KNOWN)
        # It did ask, with the challenge of a real registry.
        assert cdn.authorizations == [""]
        assert len(server.asked) == 1


async def test_sent_on_to_the_same_host(remote: Remote, address: str) -> None:
    target = f"/v2/private/blobs/{digest(compress(IMAGE.layers[1]))}"
    async with FaultyProxy(address).running() as proxy:
        proxy.faults = [Fault(target, status=307, headers={"Location": f"{target}?again=1"})]
        assert (await remote.pull(f"{proxy.address}/private:1", KNOWN)).id == IMAGE.id
        assert proxy.count(target) == 2
