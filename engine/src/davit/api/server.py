"""The HTTP server: listeners, the API's version, errors as Docker's clients expect them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Iterable, Sequence
from typing import Any

from aiohttp import web

from davit.api import errors, listeners, response
from davit.api.hijack import Hijacked
from davit.api.listeners import Activated, Listener
from davit.api.routing import API_VERSION, MIN_API_VERSION, Call, Route, Router
from davit.api.tls import TlsFiles, TlsFront
from davit.errors import DavitError, InvalidParameter, NotFound

logger = logging.getLogger(__name__)

_VERSIONED = re.compile(r"/v(\d+)\.(\d+)(/.*)")
# Archives are streamed and not limited; this is for JSON.
_MAX_BODY = 4 << 20


class Server:
    """Serves route tables on any number of listeners."""

    def __init__(
        self,
        routes: Iterable[Route],
        *,
        group: str = "",
        tls: TlsFiles | None = None,
        plain_tcp: bool = False,
        activated: Sequence[Activated] = (),
    ) -> None:
        """group: of unix sockets. tls: for TCP. plain_tcp: allow TCP without it to all the world.

        activated: sockets that are open already, for ``fd://``.
        """
        self._router = Router(routes)
        self._group = group
        self._plain_tcp = plain_tcp
        self._activated = activated
        self._aborting = asyncio.Event()
        self._listeners: list[Listener] = []
        self._calls: set[asyncio.Task[web.StreamResponse]] = set()
        http = web.Server(
            self._answer,
            request_factory=_make_request,
            handler_cancellation=True,
            access_log=None,
            max_line_size=64 << 10,
            max_field_size=64 << 10,
        )
        # close() has waited for what is worth waiting for.
        self._runner = web.ServerRunner(http, shutdown_timeout=1)
        self._front = TlsFront(tls, http) if tls is not None else None

    async def listen(self, hosts: Iterable[str]) -> None:
        """Open all listeners. Raises InvalidParameter, NotSupported, Conflict naming the host."""
        await self.reload()
        await self._runner.setup()
        for host in hosts:
            await self._listen(host)
            logger.info("API listens on %s", host)

    async def reload(self) -> None:
        """Read the TLS files again, for new connections. Raises InvalidParameter naming one."""
        if self._front is not None:
            await self._front.load()

    async def close(self, timeout: float = 5) -> None:
        """Stop listening, end streams, let other requests finish for ``timeout`` seconds."""
        for site in list(self._runner.sites):
            await site.stop()
        if self._front is not None:
            self._front.stop()
        for listener in self._listeners:
            await asyncio.to_thread(listener.close)
        self._aborting.set()
        if self._calls:
            await asyncio.wait(self._calls, timeout=timeout)
        await self._runner.cleanup()
        if self._front is not None:
            await self._front.close()

    async def _listen(self, host: str) -> None:
        opened = await asyncio.to_thread(
            listeners.open_host,
            host,
            group=self._group,
            tls=self._front is not None,
            activated=self._activated,
        )
        self._listeners += opened
        for listener in opened:
            if listener.is_tcp and self._front is not None:
                await self._front.listen(listener.socket)
                continue
            if listener.is_tcp:
                self._check_plain(host, listener)
            site = web.SockSite(self._runner, listener.socket, backlog=listeners.BACKLOG)
            await site.start()

    def _check_plain(self, host: str, listener: Listener) -> None:
        """Raise InvalidParameter when strangers could reach an API without TLS."""
        if not listener.is_loopback and not self._plain_tcp:
            raise InvalidParameter(
                f"host {host}: without TLS whoever reaches this port is root on this machine: use "
                "--tlsverify, or say --tls=false when something else guards it"
            )
        logger.warning(
            "API on %s is neither encrypted nor authenticated: whoever reaches this port is "
            "root on this machine",
            host,
        )

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        answer = await self._guarded(request)
        if not answer.prepared:
            answer.headers.update(response.COMMON_HEADERS)
        logger.debug("%s %s: %d", request.method, request.path_qs, answer.status)
        return answer

    async def _guarded(self, request: web.BaseRequest) -> web.StreamResponse:
        call: Call | None = None
        try:
            route, call = self._route(request)
            await _continue(request)
            return await self._run(route, call)
        except web.HTTPRequestEntityTooLarge:
            return response.error(f"the request's body is larger than {_MAX_BODY} bytes", 413)
        except ConnectionError:
            # The client has gone, or davitd stops: nobody is there to be told.
            return _cut(request)
        except Exception as error:
            answer = _refusal(request, error)
            # An answer that has begun can only be cut short, so that the client sees it is not all.
            return _cut(request) if call is not None and call.begun else answer

    def _route(self, request: web.BaseRequest) -> tuple[Route, Call]:
        if "%00" in request.path_qs:
            # No name, path or argument of the kernel's can hold it.
            raise InvalidParameter("a NUL character in the path or in a parameter")
        path = request.path
        version = API_VERSION
        if match := _VERSIONED.fullmatch(path):
            version = (int(match[1]), int(match[2]))
            path = match[3]
            _check_version(version)
        found = self._router.find(request.method, path)
        if found is None or version < found[0].since:
            raise NotFound("page not found")
        return found[0], Call(request, version, found[1])

    async def _run(self, route: Route, call: Call) -> web.StreamResponse:
        task = asyncio.ensure_future(route.handler(call))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        # When the client is gone nobody may be left to be told of a failure.
        task.add_done_callback(_retrieve)
        if not route.abort:
            # What changes something is not cut in the middle because its client went away.
            return await asyncio.shield(task)
        closing = asyncio.ensure_future(self._aborting.wait())
        try:
            await asyncio.wait({task, closing}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise ConnectionAbortedError("davitd is stopping")
            return task.result()
        finally:
            closing.cancel()
            if not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task


async def _continue(request: web.BaseRequest) -> None:
    """Let a client that asks first (curl, with an archive) send its body (RFC 9110, 10.1.1)."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # The head of the answer proper has not been sent.
        request.writer.output_size = 0


def _cut(request: web.BaseRequest) -> web.StreamResponse:
    """Close the connection without a further byte."""
    request.protocol.force_close()
    return Hijacked()


def _refusal(request: web.BaseRequest, error: Exception) -> web.Response:
    """Log an error and turn it into the answer that its kind calls for."""
    if not isinstance(error, DavitError):
        logger.error("%s %s failed", request.method, request.path_qs, exc_info=error)
        return response.error(
            "davitd failed while it worked on this request; its log tells more", 500
        )
    status = errors.status(error)
    level = logging.ERROR if status == 500 else logging.INFO
    logger.log(level, "%s %s: %d %s", request.method, request.path_qs, status, error.message)
    return web.Response(status=304) if status == 304 else response.error(error.message, status)


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Mark an exception as seen: when the client is gone nobody awaits it."""
    if not task.cancelled():
        task.exception()


def _check_version(version: tuple[int, int]) -> None:
    shown = ".".join(map(str, version))
    if version < MIN_API_VERSION:
        raise InvalidParameter(
            f"client version {shown} is too old. Minimum supported API version is "
            f"{'.'.join(map(str, MIN_API_VERSION))}, please upgrade your client to a newer version"
        )
    if version > API_VERSION:
        raise InvalidParameter(
            f"client version {shown} is too new. Maximum supported API version is "
            f"{'.'.join(map(str, API_VERSION))}"
        )


def _make_request(*parts: Any) -> web.BaseRequest:
    message, payload, protocol, writer, task = parts
    return web.BaseRequest(
        message,
        payload,
        protocol,
        writer,
        task,
        asyncio.get_running_loop(),
        client_max_size=_MAX_BODY,
    )
