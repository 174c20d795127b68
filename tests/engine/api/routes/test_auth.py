"""``POST /auth`` and ``docker login``, at a real registry."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.conftest import Davitd
from tests.engine.imagekit import busybox
from tests.engine.registrykit import PASSWORD, USER, Shelf, registry
from tests.engine.tokenkit import REFRESH, TokenServer, token_server


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry"), auth=True) as found:
        yield found


def test_auth(shared_davitd: Davitd, address: str) -> None:
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    for body in ({"username": USER, "password": PASSWORD}, {"auth": pair}):
        answer = shared_davitd.client.post("/auth", {**body, "serveraddress": address})
        assert answer.status == 200, answer.body
        assert answer.json == {"Status": "Login Succeeded", "IdentityToken": ""}
    wrong = {"username": USER, "password": "wrong", "serveraddress": address}
    answer = shared_davitd.client.post("/auth", wrong)
    assert answer.status == 401
    assert "unauthorized: authentication required" in answer.message
    answer = shared_davitd.client.post("/auth", {"auth": "!", "serveraddress": address})
    assert answer.status == 400


def test_docker_login(shared_davitd: Davitd, address: str) -> None:
    words = ("login", "-u", USER, "--password-stdin", address)
    done = shared_davitd.docker(*words, stdin=PASSWORD.encode())
    assert b"Login Succeeded" in done.stdout
    done = shared_davitd.docker(*words, stdin=b"wrong", check=False)
    assert done.returncode
    assert b"unauthorized" in done.stderr
    shared_davitd.docker("logout", address)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TokenServer]:
    with token_server(tmp_path / "tokens") as running:
        yield running


def test_a_token_server(shared_davitd: Davitd, server: TokenServer, tmp_path: Path) -> None:
    with registry(tmp_path, tokens=server.settings) as address:
        known = {"username": USER, "password": PASSWORD, "serveraddress": address}
        answer = shared_davitd.client.post("/auth", known)
        assert answer.json == {"Status": "Login Succeeded", "IdentityToken": REFRESH}
        answer = shared_davitd.client.post("/auth", {**known, "password": "wrong"})
        assert answer.status == 401
        assert answer.message.endswith("unauthorized: incorrect username or password")
        # The CLI keeps the token in place of the password.
        Shelf(address, "box", server.header("repository:box:pull,push")).image("1", busybox())
        words = ("login", "-u", USER, "--password-stdin", address)
        shared_davitd.docker(*words, stdin=PASSWORD.encode())
        server.asked.clear()
        shared_davitd.docker("pull", f"{address}/box:1")
        assert {asked.method for asked in server.asked} == {"POST"}
        shared_davitd.docker("tag", f"{address}/box:1", f"{address}/copy:1")
        shared_davitd.docker("push", f"{address}/copy:1")
        shared_davitd.docker("logout", address)
        done = shared_davitd.docker("pull", f"{address}/box:1", check=False)
        assert b"pull access denied" in done.stderr
