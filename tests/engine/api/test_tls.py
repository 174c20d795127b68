"""TCP with TLS: who gets in, and that half a connection can be closed."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from davit import errors
from davit.api import hijack
from davit.api.routing import Call, Route
from davit.api.server import Server
from davit.api.tls import TlsFiles
from tests.engine import tlskit
from tests.engine.tlskit import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def home(authority: Authority) -> Path:
    return authority.sign("server")


def files(home: Path, *, verify: bool = True) -> TlsFiles:
    ca = home / "ca.pem" if verify else None
    return TlsFiles(home / "cert.pem", home / "key.pem", ca)


async def reverse(call: Call) -> web.StreamResponse:
    """Read to the end of input, and only then answer on the same connection."""
    async with hijack.take_over(call, "text/plain") as (reader, writer):
        data = await reader.read()
        await asyncio.sleep(0)
        writer.write(data[::-1])
    return hijack.Hijacked()


async def echo(call: Call) -> web.StreamResponse:
    return web.Response(body=await call.request.read())


@pytest.fixture
async def server(home: Path, unused_tcp_port: int) -> AsyncIterator[Server]:
    before = asyncio.all_tasks()
    made = Server(
        [Route("POST", "/reverse", reverse, abort=True), Route("POST", "/echo", echo)],
        tls=files(home),
    )
    await made.listen([f"tcp://127.0.0.1:{unused_tcp_port}"])
    yield made
    await made.close(timeout=1)
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    assert not left, left


def request(port: int, context: ssl.SSLContext, path: str, body: bytes) -> bytes:
    """Blocking, with Python's own TLS and not asyncio's."""
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = b""
        while data := connection.recv(1 << 16):
            answer += data
        return answer


@pytest.mark.usefixtures("server")
async def test_a_client_with_a_certificate(home: Path, unused_tcp_port: int) -> None:
    body = bytes(range(256)) * 8192
    answer = await asyncio.to_thread(request, unused_tcp_port, tlskit.client(home), "/echo", body)
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert rest == body


@pytest.mark.usefixtures("server")
async def test_strangers_are_kept_out(
    home: Path, tmp_path: Path, unused_tcp_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    nobody = ssl.create_default_context(cafile=home / "ca.pem")
    stranger = tlskit.client(Authority(tmp_path, "another CA").sign("client"))
    stranger.load_verify_locations(home / "ca.pem")
    old = tlskit.client(home)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    for context in (nobody, stranger, old):
        with pytest.raises(OSError, match=r"alert|ALERT|protocol|PROTOCOL"):
            await asyncio.to_thread(request, unused_tcp_port, context, "/echo", b"x")
    assert caplog.text.count("no TLS with") >= 2
    _, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port)
    writer.write(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
    writer.close()
    await writer.wait_closed()


@pytest.mark.usefixtures("server")
async def test_output_follows_the_end_of_input(home: Path, unused_tcp_port: int) -> None:
    """As Docker's CLI does it: close_notify, and then it reads on."""

    def half_close() -> bytes:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = tlskit.client(home).wrap_bio(incoming, outgoing, server_hostname="localhost")
        with socket.create_connection(("127.0.0.1", unused_tcp_port), 10) as connection:

            def read() -> bytes:
                while True:
                    try:
                        return tls.read(1 << 16)
                    except ssl.SSLWantReadError:
                        receive()
                    except ssl.SSLZeroReturnError:
                        return b""

            def receive() -> None:
                connection.sendall(outgoing.read())
                data = connection.recv(1 << 16)
                incoming.write(data) if data else incoming.write_eof()

            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    receive()
            tls.write(
                b"POST /reverse HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
            )
            connection.sendall(outgoing.read())
            assert read().startswith(b"HTTP/1.1 101 UPGRADED")
            tls.write(b"olleh")
            with pytest.raises(ssl.SSLWantReadError):
                tls.unwrap()
            connection.sendall(outgoing.read())
            received = b""
            while data := read():
                received += data
            return received

    assert await asyncio.to_thread(half_close) == b"hello"


async def test_the_files_are_read_again(
    authority: Authority, tmp_path: Path, unused_tcp_port: int
) -> None:
    first, second = authority.sign("first"), Authority(tmp_path, "the next CA").sign("second")
    server = Server([Route("POST", "/echo", echo)], tls=files(first))
    await server.listen([f"tcp://127.0.0.1:{unused_tcp_port}"])
    await asyncio.to_thread(request, unused_tcp_port, tlskit.client(first), "/echo", b"x")
    key = (first / "key.pem").read_bytes()
    (first / "key.pem").write_bytes((second / "key.pem").read_bytes())
    with pytest.raises(errors.InvalidParameter, match=r"first/cert\.pem and .*key\.pem"):
        await server.reload()
    # What was read last goes on to serve.
    (first / "key.pem").write_bytes(key)
    await asyncio.to_thread(request, unused_tcp_port, tlskit.client(first), "/echo", b"x")
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (first / name).write_bytes((second / name).read_bytes())
    await server.reload()
    await asyncio.to_thread(request, unused_tcp_port, tlskit.client(second), "/echo", b"x")
    await server.close()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("cert.pem", None, r"cannot read .*cert\.pem: No such file"),
        ("key.pem", b"no key", r"are not a certificate and its unencrypted key"),
        ("ca.pem", b"no certificate", r"ca\.pem holds no certificate"),
    ],
)
async def test_a_bad_file_is_named(
    authority: Authority, name: str, text: bytes | None, words: str
) -> None:
    home = authority.sign("bad")
    (home / name).unlink() if text is None else (home / name).write_bytes(text)
    server = Server([], tls=files(home))
    with pytest.raises(errors.InvalidParameter, match=words):
        await server.listen(["tcp://127.0.0.1:0"])
    await server.close()


async def test_a_silent_client_does_not_hold_up_the_end(home: Path, unused_tcp_port: int) -> None:
    server = Server([], tls=files(home, verify=False))
    await server.listen([f"tcp://127.0.0.1:{unused_tcp_port}"])
    reader, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port)
    await server.close(timeout=1)
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
