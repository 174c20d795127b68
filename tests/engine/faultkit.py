"""A proxy before a registry that does what bad networks and busy registries do.

It takes faults off a list, one for each request whose path they fit; without one it passes the
request on as it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from multidict import CIMultiDict


@dataclass
class Fault:
    """What happens to one request.

    path: regular expression for it and its query. status: answered instead, with headers and body.
    cut: the connection ends after so many bytes of the body. short: the answer ends there, as if it
    were whole. swap: what the body's bytes become. gate: the body waits for it, or the cut.
    sent: so many bytes of the request's body are passed on, and then both connections end.
    """

    path: str = "/blobs/"
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"busy"
    cut: int | None = None
    short: int | None = None
    swap: bytes = b""
    sent: int | None = None
    gate: asyncio.Event | None = None
    times: int = 1


class FaultyProxy:
    """requests: method and path of all that came; ranges: their ``Range``; authorizations: of
    each, empty for none.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str]] = []
        self.ranges: list[str] = []
        self.authorizations: list[str] = []
        self.knows_ranges = True
        self._server = TestServer(self._application())

    @property
    def address(self) -> str:
        return f"{self._server.host}:{self._server.port}"

    def count(self, text: str) -> int:
        """How many GETs had this in their path."""
        return sum(method == "GET" and text in path for method, path in self.requests)

    async def asked(self, text: str) -> None:
        """Wait for a GET with this in its path."""
        for _ in range(3000):
            if self.count(text):
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"nobody asks for {text}")

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[FaultyProxy]:
        await self._server.start_server()
        try:
            yield self
        finally:
            await self._server.close()

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=1 << 30)
        application.router.add_route("*", "/{tail:.*}", self._pass)
        return application

    def _fault(self, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.times and re.search(fault.path, path):
                fault.times -= 1
                return fault
        return None

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path))
        self.authorizations.append(request.headers.get("Authorization", ""))
        if "Range" in request.headers:
            self.ranges.append(request.headers["Range"])
        fault = self._fault(request.path_qs) or Fault()
        if fault.status:
            return web.Response(status=fault.status, headers=dict(fault.headers), body=fault.body)
        dropped = {"Host"} if self.knows_ranges else {"Host", "Range"}
        # A header may come several times, as Go writes Accept.
        headers = CIMultiDict(
            (key, value) for key, value in request.headers.items() if key not in dropped
        )
        if fault.sent is not None:
            return await self._break_off(request, headers, fault.sent)
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(
                request.method,
                f"http://{self._target}{request.path_qs}",
                headers=headers,
                data=io.BytesIO(await request.read()),
                allow_redirects=False,
            ) as answer,
        ):
            return await self._answer(request, fault, answer)

    async def _break_off(
        self, request: web.Request, headers: Mapping[str, str], size: int
    ) -> web.StreamResponse:
        async def part() -> AsyncIterator[bytes]:
            if size:
                yield await request.content.readexactly(size)
                # Time to take it in: what is read together with the end may be thrown away.
                await asyncio.sleep(0.1)
            raise ConnectionResetError

        url = f"http://{self._target}{request.path_qs}"
        with contextlib.suppress(aiohttp.ClientError, ConnectionError):
            async with (
                aiohttp.ClientSession() as session,
                session.request(request.method, url, headers=headers, data=part()),
            ):
                pass
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def _answer(
        self, request: web.Request, fault: Fault, answer: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        body = await answer.read()
        if fault.swap:
            body = fault.swap * (len(body) // len(fault.swap) + 1)
            body = body[: int(answer.headers["Content-Length"])]
        sent = {
            key: value.replace(self._target, self.address)
            for key, value in answer.headers.items()
            if key not in ("Content-Length", "Transfer-Encoding", "Date")
        }
        if request.method == "HEAD":
            sent["Content-Length"] = answer.headers["Content-Length"]
            return web.Response(status=answer.status, headers=sent)
        if fault.short is not None:
            return web.Response(status=answer.status, headers=sent, body=body[: fault.short])
        if fault.cut is None and fault.gate is None:
            return web.Response(status=answer.status, headers=sent, body=body)
        sent["Content-Length"] = str(len(body))
        response = web.StreamResponse(status=answer.status, headers=sent)
        await response.prepare(request)
        await response.write(body[: fault.cut if fault.cut is not None else 1])
        if fault.cut is not None:
            if fault.gate is not None:
                await fault.gate.wait()
            assert request.transport is not None
            # What was written is to arrive; an abort would throw it away.
            request.transport.close()
            return response
        assert fault.gate is not None
        await fault.gate.wait()
        await response.write(body[1:])
        await response.write_eof()
        return response
