"""Logging in: at a real registry with passwords, and at a server that wants tokens."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from blockbuster import BlockBuster
from yarl import URL

from davit.drivers.registry.client import RegistryClient
from davit.drivers.registry.transport import hostname, same_origin
from davit.errors import Unauthorized, Unavailable
from davit.model.registry import Credentials
from tests.engine.registrykit import PASSWORD, USER, free_port, registry
from tests.engine.tlskit import Authority

LOOPBACK = ["127.0.0.0/8"]
KNOWN = Credentials(USER, PASSWORD)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry"), auth=True) as address:
        yield address


@pytest.fixture(scope="module")
def open_(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as address:
        yield address


@pytest.fixture
def client(blockbuster: BlockBuster) -> RegistryClient:
    return RegistryClient(LOOPBACK)


async def test_a_registry_with_passwords(client: RegistryClient, guarded: str) -> None:
    for address in (guarded, f"http://{guarded}", f"https://{guarded}/v2/"):
        assert await client.login(address, KNOWN) == ""


@pytest.mark.parametrize("credentials", [Credentials(USER, "wrong"), Credentials()])
async def test_its_words_when_it_refuses(
    client: RegistryClient, guarded: str, credentials: Credentials
) -> None:
    with pytest.raises(Unauthorized) as caught:
        await client.login(guarded, credentials)
    assert caught.value.message == (
        f'Get "http://{guarded}/v2/": unauthorized: authentication required'
    )


async def test_a_registry_that_everybody_may_use(client: RegistryClient, open_: str) -> None:
    assert await client.login(open_, KNOWN) == ""


async def test_nobody_is_there(client: RegistryClient) -> None:
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(Unavailable, match=f'"http://{address}/v2/": dial tcp .*refused'):
        await client.login(address, KNOWN)


async def test_without_leave_there_is_no_plain_text(guarded: str) -> None:
    with pytest.raises(Unavailable, match=f'"https://{guarded}/v2/": .* does not speak TLS'):
        await RegistryClient().login(guarded, KNOWN)


async def test_the_machines_authorities_are_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.json_response({})

    authority = Authority(tmp_path)
    home = authority.sign("registry")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(home / "cert.pem", home / "key.pem")
    address = f"localhost:{unused_tcp_port}"
    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    try:
        await web.TCPSite(runner, "localhost", unused_tcp_port, ssl_context=context).start()
        with pytest.raises(Unavailable, match="the certificate is not trusted"):
            await RegistryClient().login(address, KNOWN)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        assert await RegistryClient().login(address, KNOWN) == ""
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("", "registry-1.docker.io"),
        ("docker.io", "registry-1.docker.io"),
        ("https://index.docker.io/v1/", "registry-1.docker.io"),
        ("Registry.Example:5000", "registry.example:5000"),
        ("http://registry.example/v2/", "registry.example"),
    ],
)
def test_addresses(address: str, host: str) -> None:
    assert hostname(address) == host


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("https://registry.example/v2/", True),
        ("https://registry.example:443/v2/", True),
        ("https://Registry.Example/v2/", True),
        ("https://registry.example:5000/v2/", False),
        ("https://cdn.registry.example/v2/", False),
        ("http://registry.example/v2/", False),
        ("http://registry.example:443/v2/", False),
    ],
)
def test_who_is_the_registry_itself(url: str, same: bool) -> None:
    assert same_origin(URL(url, encoded=True), URL("https://registry.example")) is same


class TokenRegistry:
    """Asks for a token at its own ``/token``; keeps what was asked there."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.given: dict[str, object] = {"token": "t1", "refresh_token": "r1"}
        self.server = TestServer(self._application())

    @property
    def address(self) -> str:
        return f"{self.server.host}:{self.server.port}"

    def _application(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/v2/", self._base)
        application.router.add_get("/token", self._token)
        application.router.add_post("/token", self._token)
        return application

    async def _base(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") == "Bearer t1":
            return web.json_response({})
        realm = f"http://{self.address}/token"
        headers = {"WWW-Authenticate": f'Bearer realm="{realm}",service="harbour"'}
        return web.json_response({"errors": []}, status=401, headers=headers)

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.asked.append({**request.query, **{key: str(form[key]) for key in form}})
        wanted = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        known = request.headers.get("Authorization") == f"Basic {wanted}"
        if known or form.get("refresh_token") == "r1":
            return web.json_response(self.given)
        return web.json_response({"details": "incorrect username or password"}, status=401)


@pytest.fixture
async def tokens() -> AsyncIterator[TokenRegistry]:
    made = TokenRegistry()
    await made.server.start_server()
    yield made
    await made.server.close()


async def test_a_token_for_a_password(client: RegistryClient, tokens: TokenRegistry) -> None:
    assert await client.login(tokens.address, KNOWN) == "r1"
    assert tokens.asked == [
        {"service": "harbour", "client_id": "docker", "account": USER, "offline_token": "true"}
    ]


async def test_a_token_for_a_refresh_token(client: RegistryClient, tokens: TokenRegistry) -> None:
    await client.login(tokens.address, Credentials(USER, identity_token="r1"))
    assert tokens.asked == [
        {
            "service": "harbour",
            "client_id": "docker",
            "grant_type": "refresh_token",
            "refresh_token": "r1",
        }
    ]


async def test_a_token_that_is_there_already(client: RegistryClient, tokens: TokenRegistry) -> None:
    await client.login(tokens.address, Credentials(registry_token="t1"))
    assert tokens.asked == []
    with pytest.raises(Unauthorized):
        await client.login(tokens.address, Credentials(registry_token="t2"))


async def test_the_token_servers_words(client: RegistryClient, tokens: TokenRegistry) -> None:
    with pytest.raises(Unauthorized, match="unauthorized: incorrect username or password"):
        await client.login(tokens.address, Credentials(USER, "wrong"))


@pytest.mark.parametrize("given", [{}, {"token": 7}])
async def test_a_server_that_gives_no_token(
    client: RegistryClient, tokens: TokenRegistry, given: dict[str, object]
) -> None:
    tokens.given = given
    with pytest.raises(Unavailable, match="token"):
        await client.login(tokens.address, KNOWN)
