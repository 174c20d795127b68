"""The HTTP server: listeners, the API's version, errors as Docker's clients expect them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import grp
import logging
import os
import re
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from davit.api import errors, response
from davit.api.hijack import Hijacked
from davit.api.routing import API_VERSION, MIN_API_VERSION, Call, Route, Router
from davit.errors import Conflict, DavitError, InvalidParameter, NotFound, NotSupported

logger = logging.getLogger(__name__)

_VERSIONED = re.compile(r"/v(\d+)\.(\d+)(/.*)")
# Archives are streamed and not limited; this is for JSON.
_MAX_BODY = 4 << 20
_BACKLOG = 128


class Server:
    """Serves route tables on any number of listeners."""

    def __init__(self, routes: Iterable[Route], *, group: str = "") -> None:
        self._router = Router(routes)
        self._group = group
        self._aborting = asyncio.Event()
        self._sockets: list[Path] = []
        self._calls: set[asyncio.Task[web.StreamResponse]] = set()
        self._runner = web.ServerRunner(
            web.Server(
                self._answer,
                request_factory=_make_request,
                handler_cancellation=True,
                access_log=None,
                max_line_size=64 << 10,
                max_field_size=64 << 10,
            ),
            # close() has waited for what is worth waiting for.
            shutdown_timeout=1,
        )

    async def listen(self, hosts: Iterable[str]) -> None:
        """Open all listeners. Raises InvalidParameter, NotSupported, Conflict naming the host."""
        await self._runner.setup()
        for host in hosts:
            await self._listen(host)
            logger.info("API listens on %s", host)

    async def close(self, timeout: float = 5) -> None:
        """Stop listening, end streams, let other requests finish for ``timeout`` seconds."""
        for site in list(self._runner.sites):
            await site.stop()
        for path in self._sockets:
            await asyncio.to_thread(path.unlink, missing_ok=True)
        self._aborting.set()
        if self._calls:
            await asyncio.wait(self._calls, timeout=timeout)
        await self._runner.cleanup()

    async def _listen(self, host: str) -> None:
        scheme, _, rest = host.partition("://")
        if scheme == "unix":
            if not rest.startswith("/"):
                raise InvalidParameter(f"host {host}: an absolute path is needed: unix:///PATH")
            path = Path(rest)
            listener = await asyncio.to_thread(_bind_unix, path, _group_id(self._group))
            self._sockets.append(path)
            await web.SockSite(self._runner, listener, backlog=_BACKLOG).start()
        elif scheme == "tcp":
            target = urlsplit(host)
            if not target.hostname or not target.port:
                raise InvalidParameter(f"host {host}: use tcp://ADDRESS:PORT")
            logger.warning(
                "API on %s is neither encrypted nor authenticated: whoever reaches this port is "
                "root on this machine",
                host,
            )
            try:
                await web.TCPSite(self._runner, target.hostname, target.port).start()
            except OSError as error:
                raise Conflict(f"cannot listen on {host}: {error.strerror}") from None
        else:
            raise NotSupported(f"host {host}: davit listens on unix:// and tcp:// only")

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
        if not route.abort:
            # What changes something is not cut in the middle because its client went away.
            task.add_done_callback(_retrieve)
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


def _group_id(group: str) -> int:
    if not group:
        return -1
    if group.isdigit():
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise InvalidParameter(
            f"group {group!r} does not exist: create it, or name another with --group"
        ) from None


def _bind_unix(path: Path, group: int) -> socket.socket:
    """Bind a socket that only root and the group can use from its first moment on. Blocking."""
    path.parent.mkdir(parents=True, exist_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    before = os.umask(0o177)
    try:
        _remove_stale(path)
        listener.bind(str(path))
        os.chown(path, -1, group)
        path.chmod(0o660)
    except OSError as error:
        listener.close()
        hint = ": the path is too long for a socket" if "too long" in str(error) else ""
        raise Conflict(f"cannot listen on unix://{path}: {error}{hint}") from None
    except DavitError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


def _remove_stale(path: Path) -> None:
    """Remove the socket of a daemon that is no more. Raises Conflict when someone answers."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        refused = probe.connect_ex(str(path))
    if refused != errno.ECONNREFUSED:
        raise Conflict(f"cannot listen on unix://{path}: another daemon listens there already")
    path.unlink()
