"""``POST /auth`` and ``docker login``, at a real registry."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from tests.engine.conftest import Davitd
from tests.engine.registrykit import PASSWORD, USER, registry


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
