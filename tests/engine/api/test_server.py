from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from davit import errors
from davit.api import response
from davit.api.listeners import Activated
from davit.api.routing import Call, Route
from davit.api.server import Server
from tests.engine.api.conftest import Serve, ask


class Body(msgspec.Struct):
    name: str
    size: int = 0


async def echo(call: Call) -> web.StreamResponse:
    return response.json({"version": call.version, "name": call.name()})


async def take(call: Call) -> web.StreamResponse:
    return response.json(await call.body(Body))


def fail(error: Exception) -> Route:
    async def handler(call: Call) -> web.StreamResponse:
        raise error

    return Route("GET", f"/{type(error).__name__}", handler)


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/v1.24/x/a", 200, b'{"version":[1,24],"name":"a"}'),
        ("/x/a", 200, b'{"version":[1,51],"name":"a"}'),
        ("/x/a%2Fb", 404, b'{"message":"page not found"}'),
        ("/images/a%2Fb%3Ac/json", 200, b'{"version":[1,51],"name":"a/b:c"}'),
        ("/images/registry:5000/a/b/json", 200, b'{"version":[1,51],"name":"registry:5000/a/b"}'),
        ("/new/a", 200, b'{"version":[1,51],"name":"a"}'),
        ("/v1.40/new/a", 404, b'{"message":"page not found"}'),
        ("/nowhere", 404, b'{"message":"page not found"}'),
        ("/v1.23/x/a", 400, b"client version 1.23 is too old. Minimum supported API"),
        ("/v1.52/x/a", 400, b"client version 1.52 is too new. Maximum supported API"),
        ("/v2.0/x/a", 400, b"too new"),
    ],
)
async def test_path_and_version(serve: Serve, path: str, status: int, body: bytes) -> None:
    socket = await serve(
        [
            Route("GET", "/x/{name}", echo),
            Route("GET", "/images/{name:.+}/json", echo),
            Route("GET", "/new/{name}", echo, since=(1, 41)),
        ]
    )
    answer = await ask(socket, f"GET {path} HTTP/1.1")
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert body in answer
    assert b"\r\nApi-Version: 1.51\r\n" in answer
    assert b"\r\nOstype: linux\r\n" in answer
    assert b"\r\nServer: davit/" in answer


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.NotModified("already"), 304),
        (errors.InvalidParameter("bad"), 400),
        (errors.Unauthorized("who"), 401),
        (errors.Forbidden("no"), 403),
        (errors.NotFound("gone"), 404),
        (errors.Conflict("busy"), 409),
        (errors.SystemFailure("kernel"), 500),
        (errors.NotSupported("later"), 501),
        (errors.Unavailable("down"), 503),
    ],
)
async def test_each_kind_has_its_status(
    serve: Serve, error: errors.DavitError, status: int
) -> None:
    socket = await serve([fail(error)])
    answer = await ask(socket, f"GET /{type(error).__name__} HTTP/1.1")
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    if status != 304:
        assert answer.endswith(f'{{"message":"{error.message}"}}'.encode())


async def test_a_bug_is_logged_and_not_told(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    socket = await serve([fail(RuntimeError("/secret/path"))])
    answer = await ask(socket, "GET /RuntimeError HTTP/1.1")
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"secret" not in answer
    assert "/secret/path" in caplog.text


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ('{"name": "a", "size": 1}', 200, b'{"name":"a","size":1}'),
        ('{"name": "a", "size": null}', 200, b'{"name":"a","size":0}'),
        ('{"name": "a", "size": "b"}', 400, b"$.size"),
        ("{", 400, b"invalid JSON in the request body"),
        ("", 400, b"name"),
        ('{"name": "a\\u0000b"}', 400, b"a NUL character in the body"),
    ],
)
async def test_bodies(serve: Serve, body: str, status: int, words: bytes) -> None:
    socket = await serve([Route("POST", "/x", take)])
    answer = await ask(socket, f"POST /x HTTP/1.1\nContent-Length: {len(body)}\n\n{body}")
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert words in answer


async def test_a_client_may_ask_before_it_sends_its_body(serve: Serve) -> None:
    socket_path = await serve([Route("POST", "/x", take)])
    reader, writer = await asyncio.open_unix_connection(socket_path)
    head = b"HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 12\r\n\r\n"
    writer.write(b"POST /x " + head)
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b'{"name":"a"}')
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
    assert await reader.readexactly(21) == b'{"name":"a","size":0}'
    writer.write(b"POST /nowhere " + head)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 404 Not Found\r\n")
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("path", ["/x?name=a%00", "/x%00"])
async def test_no_name_holds_a_nul(serve: Serve, path: str) -> None:
    socket = await serve([Route("POST", "/x", take)])
    answer = await ask(socket, f"POST {path} HTTP/1.1\nContent-Length: 0\n\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"a NUL character" in answer


async def test_a_huge_json_body_is_refused(serve: Serve) -> None:
    socket = await serve([Route("POST", "/x", take)])
    body = "x" * (5 << 20)
    answer = await ask(socket, f"POST /x HTTP/1.1\nContent-Length: {len(body)}\n\n{body}")
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_work_goes_on_when_its_client_leaves(serve: Serve) -> None:
    began, go_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work(call: Call) -> web.StreamResponse:
        began.set()
        await go_on.wait()
        ended.set()
        return response.no_content()

    socket = await serve([Route("POST", "/x", work)])
    _, writer = await asyncio.open_unix_connection(socket)
    writer.write(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    await began.wait()
    writer.close()
    await writer.wait_closed()
    go_on.set()
    await asyncio.wait_for(ended.wait(), 5)


async def test_a_stream_ends_when_its_client_leaves(serve: Serve) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def work(call: Call) -> web.StreamResponse:
        began.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.set()
        raise AssertionError

    socket = await serve([Route("GET", "/x", work, abort=True)])
    _, writer = await asyncio.open_unix_connection(socket)
    writer.write(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
    await began.wait()
    writer.close()
    await writer.wait_closed()
    await asyncio.wait_for(ended.wait(), 5)


async def test_a_stream_that_fails_when_its_client_leaves_is_not_complained_of(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    leaving, ended = asyncio.Event(), asyncio.Event()

    async def work(call: Call) -> web.StreamResponse:
        leaving.set()
        # Ends by itself in the same moment in which it would be cancelled.
        while (transport := call.request.transport) and not transport.is_closing():  # noqa: ASYNC110
            await asyncio.sleep(0)
        ended.set()
        raise ConnectionResetError("the client has gone")

    socket = await serve([Route("GET", "/x", work, abort=True)])
    _, writer = await asyncio.open_unix_connection(socket)
    writer.write(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
    await leaving.wait()
    writer.close()
    await writer.wait_closed()
    await asyncio.wait_for(ended.wait(), 5)
    await asyncio.sleep(0)
    gc.collect()
    await asyncio.sleep(0)
    assert "never retrieved" not in caplog.text


async def test_the_socket_is_for_root_and_the_group_only(serve: Serve) -> None:
    path = await serve([])
    assert await asyncio.to_thread(lambda: path.stat().st_mode & 0o777) == 0o660


async def test_a_stale_socket_is_replaced_and_a_live_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "s"
    first, second = Server([]), Server([])
    await first.listen([f"unix://{path}"])
    with pytest.raises(errors.Conflict, match="another daemon"):
        await second.listen([f"unix://{path}"])
    # By its answer the server has seen the probe's connection, too.
    await ask(path, "GET /_ping HTTP/1.1")
    await first.close()
    assert not path.exists()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    await second.listen([f"unix://{path}"])
    await second.close()


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("unix://relative", "absolute path"),
        ("npipe://x", "unix://, tcp:// and fd:// only"),
        ("fd://", "passed: none"),
        ("tcp://127.0.0.1:port", "ADDRESS:PORT"),
        ("tcp://127.0.0.1:0/path", "ADDRESS:PORT"),
        ("tcp://no.such.name.invalid:1", "cannot listen on tcp://no.such.name.invalid:1"),
        ("tcp://0.0.0.0:0", "use --tlsverify, or say --tls=false"),
        ("tcp://[::]:0", "use --tlsverify, or say --tls=false"),
        ("unix:///" + "x" * 200, "too long"),
    ],
)
async def test_bad_hosts(host: str, words: str) -> None:
    server = Server([])
    with pytest.raises(errors.DavitError, match=words):
        await server.listen([host])
    await server.close()


async def test_tcp_is_served_with_a_warning(
    unused_tcp_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server([Route("GET", "/x/{name}", echo)])
    await server.listen([f"tcp://127.0.0.1:{unused_tcp_port}"])
    assert "root on this machine" in caplog.text
    reader, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port)
    writer.write(b"GET /x/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    writer.close()
    await writer.wait_closed()
    await server.close()


async def test_who_declines_tls_may_serve_all_the_world(caplog: pytest.LogCaptureFixture) -> None:
    server = Server([], plain_tcp=True)
    await server.listen(["tcp://0.0.0.0:0"])
    assert "root on this machine" in caplog.text
    await server.close()


async def test_a_busy_address_is_named(unused_tcp_port: int, tmp_path: Path) -> None:
    host = f"tcp://127.0.0.1:{unused_tcp_port}"
    first, second = Server([]), Server([])
    await first.listen([host])
    with pytest.raises(errors.Conflict, match=f"{host}: Address already in use by another"):
        await second.listen([f"unix://{tmp_path}/s", host])
    await second.close()
    assert not (tmp_path / "s").exists()
    await first.close()


async def test_a_dual_stack_address_serves_both(unused_tcp_port: int) -> None:
    server = Server([Route("GET", "/x/{name}", echo)], plain_tcp=True)
    await server.listen([f"tcp://[::]:{unused_tcp_port}"])
    for address in ("127.0.0.1", "::1"):
        reader, writer = await asyncio.open_connection(address, unused_tcp_port)
        writer.write(b"GET /x/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        writer.close()
        await writer.wait_closed()
    await server.close()


async def test_sockets_of_the_service_manager(tmp_path: Path) -> None:
    given = []
    for name in ("api", "other"):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(tmp_path / name))
        given.append(Activated(name, listener))
    server = Server([Route("GET", "/x/{name}", echo)], activated=given)
    with pytest.raises(errors.InvalidParameter, match="passed: api, other"):
        await server.listen(["fd://third"])
    await server.listen(["fd://api", "fd://4"])
    for name in ("api", "other"):
        assert (await ask(tmp_path / name, "GET /x/a HTTP/1.1")).startswith(b"HTTP/1.1 200 ")
    await server.close()
    # They are the service manager's to remove.
    assert (tmp_path / "api").exists()


async def test_an_unknown_group_is_named(tmp_path: Path) -> None:
    server = Server([], group="no-such-group")
    with pytest.raises(errors.InvalidParameter, match="no-such-group"):
        await server.listen([f"unix://{tmp_path}/s"])
    await server.close()


async def test_a_crowd_waits_to_be_accepted(serve: Serve) -> None:
    """While the loop has no time: a client that finds no room fails at once, and does not wait."""
    path = await serve([Route("GET", "/x/{name}", echo)])
    with contextlib.ExitStack() as stack:
        for _ in range(500):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            client.connect(str(path))
        assert b" 200 OK\r\n" in await ask(path, "GET /x/a HTTP/1.1")
