"""Uploads that are cut off: at a real registry, and at one that knows what it has of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from blockbuster import BlockBuster

from davit.drivers.registry import upload
from davit.drivers.registry.client import RegistryClient
from davit.errors import Unavailable
from davit.model.registry import Credentials
from tests.engine.faultkit import Fault, FaultyProxy
from tests.engine.imagekit import digest
from tests.engine.registrykit import PASSWORD, USER, Shelf, registry

BLOB = random.Random(5).randbytes(300_000)
PUT = r"/blobs/uploads/.+digest="


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture
async def proxy(address: str, blockbuster: BlockBuster) -> AsyncIterator[FaultyProxy]:
    del blockbuster
    async with FaultyProxy(address).running() as running:
        yield running


class Parts:
    """Keeps what arrives of an upload and tells how much that is, as the specification says.

    ranges: Content-Range of each PUT and PATCH. bad: the first bytes are damaged on their way.
    limit: bytes that a request may have. least: what it says that a chunk must have.
    """

    def __init__(self) -> None:
        self.data = bytearray()
        self.ranges: list[str] = []
        self.bad = False
        self.limit = self.least = 0
        application = web.Application()
        application.router.add_get("/v2/", self._base)
        application.router.add_post("/v2/box/blobs/uploads/", self._begin)
        application.router.add_get("/v2/box/blobs/uploads/{number}", self._status)
        application.router.add_put("/v2/box/blobs/uploads/{number}", self._put)
        application.router.add_patch("/v2/box/blobs/uploads/{number}", self._patch)
        self.server = TestServer(application)

    @property
    def address(self) -> str:
        return f"{self.server.host}:{self.server.port}"

    async def _base(self, _: web.Request) -> web.Response:
        return web.json_response({})

    async def _begin(self, _: web.Request) -> web.Response:
        self.data.clear()
        headers = {"Location": "/v2/box/blobs/uploads/0"}
        if self.least:
            headers["OCI-Chunk-Min-Length"] = str(self.least)
        return web.Response(status=202, headers=headers)

    async def _status(self, _: web.Request) -> web.Response:
        size = len(self.data)
        headers = {"Location": str(size), "Range": f"0-{max(0, size - 1)}"}
        return web.Response(status=204, headers=headers)

    async def _take(self, request: web.Request) -> None:
        self.ranges.append(request.headers.get("Content-Range", ""))
        # A location is good for the offset that it was given for.
        assert request.match_info["number"] == str(len(self.data))
        async for chunk in request.content.iter_any():
            self.data += chunk if not self.bad else bytes(len(chunk))
            self.bad = False

    async def _patch(self, request: web.Request) -> web.Response:
        if request.content_length is None or request.content_length > self.limit:
            return web.Response(status=413)
        await self._take(request)
        size = len(self.data)
        headers = {"Location": str(size), "Range": f"0-{size - 1}"}
        return web.Response(status=202, headers=headers)

    async def _put(self, request: web.Request) -> web.Response:
        if self.limit and (request.content_length or 0) > self.limit:
            return web.Response(status=413)
        await self._take(request)
        if digest(self.data) != request.query["digest"]:
            body = {"errors": [{"code": "DIGEST_INVALID", "message": "digest invalid"}]}
            return web.json_response(body, status=400)
        return web.Response(status=201)


@pytest.fixture
async def parts(blockbuster: BlockBuster) -> AsyncIterator[Parts]:
    del blockbuster
    made = Parts()
    await made.server.start_server()
    yield made
    await made.server.close()


async def body(offset: int) -> AsyncIterator[bytes]:
    """The blob from there on, as a file is read: what was sent does not come again."""
    for start in range(offset, len(BLOB), 65536):
        yield BLOB[start : start + 65536]


async def put(
    address: str, credentials: Credentials | None = None, path: str = "box"
) -> list[float]:
    """Upload the blob; return the pauses that were made."""
    waits: list[float] = []
    client = RegistryClient(["127.0.0.0/8"])
    opening = client.repository(address, path, credentials or Credentials(), "pull,push")
    async with opening as repository:
        await upload.put_blob(repository, digest(BLOB), len(BLOB), body, waits.append)
    return waits


def sent(proxy: FaultyProxy, method: str) -> int:
    return sum(found == method and "/blobs/uploads/" in path for found, path in proxy.requests)


@pytest.mark.parametrize(("size", "uploads"), [(0, 1), (200_000, 2)])
async def test_a_real_registry(proxy: FaultyProxy, address: str, size: int, uploads: int) -> None:
    path = f"cut-at-{size}"
    proxy.faults = [Fault(PUT, sent=size)]
    assert len(await put(proxy.address, path=path)) == 1
    target = f"/v2/{path}/blobs/{digest(BLOB)}"
    answer, _ = await asyncio.to_thread(Shelf(address, path).request, "GET", target)
    assert answer == BLOB
    # It goes on with an upload of which it has nothing, and forgets one of which it has a part.
    assert (sent(proxy, "POST"), sent(proxy, "GET"), sent(proxy, "PUT")) == (uploads, 1, 2)


async def test_an_answer_that_is_lost(proxy: FaultyProxy) -> None:
    proxy.faults = [Fault(PUT, sent=len(BLOB))]
    await put(proxy.address)
    assert (sent(proxy, "POST"), sent(proxy, "PUT")) == (1, 1)


async def test_only_the_rest_is_sent(parts: Parts) -> None:
    async with FaultyProxy(parts.address).running() as proxy:
        proxy.faults = [Fault(PUT, sent=200_000), Fault(PUT, sent=50_000)]
        await put(proxy.address)
        assert parts.data == BLOB
        assert parts.ranges == ["", "200000-299999", "250000-299999"]
        assert sent(proxy, "POST") == 1


def chunks(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(upload, "_CHUNK", size)
    monkeypatch.setattr(upload, "_SMALLEST_CHUNK", size // 4)


@pytest.mark.parametrize(
    ("least", "ranges"),
    [
        (0, ["0-99999", "100000-199999", "200000-299999", ""]),
        (120_000, ["0-119999", "120000-239999", "240000-299999", ""]),
    ],
)
async def test_chunks_where_requests_may_not_be_long(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, least: int, ranges: list[str]
) -> None:
    chunks(monkeypatch, 200_000)
    parts.limit, parts.least = 130_000, least
    assert await put(parts.address) == []
    assert parts.data == BLOB
    assert parts.ranges == ranges


async def test_chunks_that_are_cut_off(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    chunks(monkeypatch, 100_000)
    parts.limit = 100_000
    async with FaultyProxy(parts.address).running() as proxy:
        # In the second chunk.
        proxy.faults = [Fault("/uploads/100000", sent=50_000)]
        await put(proxy.address)
    assert parts.data == BLOB
    assert parts.ranges == ["0-99999", "100000-199999", "150000-249999", "250000-299999", ""]


async def test_not_even_short_requests(parts: Parts) -> None:
    parts.limit = 10
    with pytest.raises(Unavailable, match=r"413 (Request Entity|Content) Too Large"):
        await put(parts.address)
    assert parts.ranges == []


async def test_chunks_at_a_real_registry(
    proxy: FaultyProxy, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunks(monkeypatch, 100_000)
    proxy.faults = [Fault(PUT, status=413)]
    await put(proxy.address, path="chunks")
    target = f"/v2/chunks/blobs/{digest(BLOB)}"
    answer, _ = await asyncio.to_thread(Shelf(address, "chunks").request, "GET", target)
    assert answer == BLOB
    assert (sent(proxy, "PATCH"), sent(proxy, "PUT")) == (3, 2)


async def test_what_does_not_fit_together_is_sent_anew(parts: Parts) -> None:
    parts.bad = True
    async with FaultyProxy(parts.address).running() as proxy:
        proxy.faults = [Fault(PUT, sent=200_000)]
        await put(proxy.address)
        assert parts.data == BLOB
        assert parts.ranges == ["", "200000-299999", ""]


async def test_wrong_bytes_are_not_sent_for_ever(parts: Parts) -> None:
    parts.bad = True
    with pytest.raises(Unavailable, match="digest invalid"):
        await put(parts.address)
    assert len(parts.ranges) == 1


async def test_a_busy_registry_says_how_long(proxy: FaultyProxy) -> None:
    wait = {"Retry-After": "1"}
    proxy.faults = [
        Fault("/blobs/uploads/$", status=429, headers=wait),
        Fault(PUT, status=503, headers=wait),
    ]
    waits = await put(proxy.address)
    assert len(waits) == 2
    assert min(waits) >= 1


async def test_another_host_takes_it(proxy: FaultyProxy, parts: Parts) -> None:
    async with FaultyProxy(parts.address).running() as aside:
        away = {"Location": f"http://{aside.address}/v2/box/blobs/uploads/0"}
        proxy.faults = [
            Fault("/blobs/", status=401, headers={"WWW-Authenticate": 'Basic realm="x"'}),
            Fault("/blobs/", status=202, headers=away),
        ]
        aside.faults = [Fault(PUT, sent=200_000)]
        known = Credentials(USER, PASSWORD)
        await put(proxy.address, known)
        assert parts.data == BLOB
        # It is not told who we are.
        assert proxy.authorizations[-1] == known.basic
        assert set(aside.authorizations) == {""}
