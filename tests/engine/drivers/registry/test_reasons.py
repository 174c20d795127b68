"""What a user reads when a registry cannot be reached."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from davit.drivers.registry import transport
from davit.drivers.registry.reasons import reason
from davit.drivers.registry.transport import Transport
from davit.errors import Unavailable
from tests.engine.registrykit import free_port
from tests.engine.tlskit import Authority

KEY = ConnectionKey("far.example", 5000, True, True, None, None, None, None)


async def ask(address: str, certificates: Path | None = None, scheme: str = "https") -> str:
    """Send a request that fails; return what is said."""
    directories = [certificates] if certificates else []
    async with Transport(certificates=directories) as sender:
        trust = await sender.trust(address, verify=True)
        with pytest.raises(Unavailable) as failed:
            async with sender.request("GET", f"{scheme}://{address}/v2/", trust=trust):
                pass
    beginning = f'Get "{scheme}://{address}/v2/": '
    assert failed.value.message.startswith(beginning)
    return failed.value.message.removeprefix(beginning)


async def test_nobody_listens() -> None:
    address = f"127.0.0.1:{free_port()}"
    assert await ask(address) == (
        f"dial tcp {address}: connect: connection refused: is the registry running, and is this "
        "its port?"
    )


async def test_a_name_that_is_not_known() -> None:
    said = await ask("registry.invalid:5000")
    assert said.startswith("dial tcp: lookup registry.invalid: ")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(errno.EHOSTUNREACH, "Connect call failed"),
            "connect: no route to host: check its",
        ),
        (OSError(errno.ENETUNREACH, "Connect call failed"), "connect: network is unreachable: ch"),
        (OSError(errno.EADDRNOTAVAIL, "x"), "connect: cannot assign requested address"),
        (OSError("Multiple exceptions: here, there"), "Multiple exceptions: here, there"),
    ],
)
def test_nobody_is_there(error: OSError, said: str) -> None:
    told = reason(aiohttp.ClientConnectorError(KEY, error), "https://far.example:5000/v2/", [])
    assert told.startswith(f"dial tcp far.example:5000: {said}")


@pytest.mark.parametrize(
    ("code", "said"),
    [(socket.EAI_NONAME, "no such host: check the name"), (socket.EAI_AGAIN, "server misbehaving")],
)
def test_names(code: int, said: str) -> None:
    error = aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(code, "as the C library says it"))
    told = reason(error, "https://far.example:5000/v2/", [])
    assert told.startswith(f"dial tcp: lookup far.example: {said}")


@contextlib.contextmanager
def deaf() -> Iterator[str]:
    """An address where connections are neither taken nor refused: its queue is full."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(listening.getsockname())
        yield f"127.0.0.1:{listening.getsockname()[1]}"


async def test_no_answer_to_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_TIMEOUT", aiohttp.ClientTimeout(sock_connect=0.2))
    with deaf() as address:
        said = await ask(address)
    assert said.startswith(f"dial tcp {address}: i/o timeout: check its address")


async def test_no_answer_to_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_TIMEOUT", aiohttp.ClientTimeout(sock_read=0.2))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        assert (await ask(address, scheme="http")).startswith(f"{address} did not answer in time")


@contextlib.asynccontextmanager
async def serving(home: Path | None, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """A server with the certificate of a directory, or one that does not know what TLS is."""
    context = None
    if home is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(home / "cert.pem", home / "key.pem")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.read(100)
            writer.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")
            writer.close()

    server = await asyncio.start_server(answer, host, 0, ssl=context)
    async with server:
        yield "{}:{}".format(*server.sockets[0].getsockname())


async def test_plain_http() -> None:
    async with serving(None) as address:
        said = await ask(address)
    assert said.startswith(
        "http: server gave HTTP response to HTTPS client: the server does not sp"
    )
    assert said.endswith(f"add {address} to insecure-registry")


async def test_an_authority_that_nobody_knows(tmp_path: Path) -> None:
    async with serving(Authority(tmp_path).sign("registry")) as address:
        said = await ask(address, tmp_path / "certs.d")
    assert said.startswith(
        "the certificate is not trusted: x509: certificate signed by unknown authority: "
    )
    assert said.endswith(f"certificate into {tmp_path}/certs.d/{address} as ca.crt")


@pytest.mark.parametrize(
    ("host", "expired", "said"),
    [
        ("127.0.0.2", False, "x509: certificate is not valid for 127.0.0.2:"),
        ("127.0.0.1", True, "x509: certificate has expired or is not yet valid: certificate has"),
    ],
)
async def test_certificates_that_do_not_fit(
    tmp_path: Path, host: str, expired: bool, said: str
) -> None:
    authority = Authority(tmp_path)
    home = authority.sign("registry", expired=expired)
    async with serving(home, host) as address:
        (tmp_path / address).mkdir()
        shutil.copy(authority.file, tmp_path / address / "ca.crt")
        assert said in await ask(address, tmp_path)
