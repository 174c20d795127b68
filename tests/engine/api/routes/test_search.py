"""``GET /images/search`` and ``docker search``, at indexes on loopback."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from davit.drivers.registry.search import place
from davit.model.registry import Credentials
from tests.engine.client import UnixConnection
from tests.engine.conftest import Davitd
from tests.engine.indexkit import Index, search_index
from tests.engine.registrykit import PASSWORD, USER, registry
from tests.engine.tokenkit import token_server


@pytest.fixture
def index() -> Iterator[Index]:
    with search_index() as running:
        yield running


def names(davitd: Davitd, term: str, **query: Any) -> list[str]:
    answer = davitd.client.get("/images/search", term=term, **query)
    assert answer.status == 200, answer.body
    return [result["name"] for result in answer.json]


def test_what_is_found(shared_davitd: Davitd, index: Index) -> None:
    term = f"{index.address}/team/box"
    answer = shared_davitd.client.get("/images/search", term=term)
    assert answer.json[0] == {
        "name": "box",
        "description": "what box is",
        "star_count": 30,
        "is_official": True,
        "is_automated": False,
    }
    assert names(shared_davitd, term, limit=7) == ["box", "team/box", "my/box"]
    assert index.asked == [{"q": ["team/box"], "n": ["25"]}, {"q": ["team/box"], "n": ["7"]}]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"is-official": ["true"]}, ["box"]),
        ({"is-official": ["false"]}, ["team/box", "my/box"]),
        ({"stars": ["1", "3"]}, ["box", "team/box"]),
        ({"is-automated": ["true"]}, []),
        ({"is-automated": {"false": True}}, ["box", "team/box", "my/box"]),
    ],
)
def test_filters(
    shared_davitd: Davitd, index: Index, filters: dict[str, Any], expected: list[str]
) -> None:
    term = f"{index.address}/box"
    assert names(shared_davitd, term, filters=json.dumps(filters)) == expected


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({}, "term is missing"),
        ({"term": "127.0.0.1:1/x", "limit": 101}, "limit 101 is outside the range of [1, 100]"),
        ({"term": "127.0.0.1:1/x", "limit": -1}, "limit -1 is outside the range of [1, 100]"),
        ({"term": "127.0.0.1:1/x", "limit": "few"}, "invalid limit"),
        ({"term": "127.0.0.1:1/x", "filters": '{"stars":["many"]}'}, "invalid filter 'stars=many'"),
        ({"term": "127.0.0.1:1/x", "filters": '{"label":["a"]}'}, "invalid filter 'label'"),
        ({"term": "http://127.0.0.1:1/x"}, "should not have a scheme"),
    ],
)
def test_what_is_wrong(shared_davitd: Davitd, query: dict[str, Any], words: str) -> None:
    answer = shared_davitd.client.get("/images/search", **query)
    assert answer.status == 400
    assert words in answer.message


def search_as(davitd: Davitd, term: str, **auth: str) -> int:
    connection = UnixConnection(davitd.socket)
    header = base64.urlsafe_b64encode(json.dumps(auth).encode()).decode()
    connection.request("GET", f"/images/search?term={term}", headers={"X-Registry-Auth": header})
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_password(shared_davitd: Davitd, index: Index) -> None:
    index.challenge = 'Basic realm="the index"'
    index.expected = Credentials(USER, PASSWORD).basic
    term = f"{index.address}/box"
    answer = shared_davitd.client.get("/images/search", term=term)
    assert answer.status == 403
    assert answer.message.endswith("no basic auth credentials: log in with 'docker login'")
    assert search_as(shared_davitd, term, username=USER, password=PASSWORD) == 200
    assert search_as(shared_davitd, term, username=USER, password="wrong") == 403


def test_a_token(shared_davitd: Davitd, index: Index, tmp_path: Path) -> None:
    with token_server(tmp_path) as server:
        index.challenge = f'Bearer realm="{server.settings["realm"]}",service="the index"'
        index.expected = "Bearer "
        term = f"{index.address}/box"
        assert search_as(shared_davitd, term, username=USER, password=PASSWORD) == 200
        (asked,) = server.asked
        assert (asked.user, asked.scopes) == (USER, {"registry:catalog:search"})


def test_a_registry_that_cannot(shared_davitd: Davitd, tmp_path: Path) -> None:
    with registry(tmp_path) as address:
        answer = shared_davitd.client.get("/images/search", term=f"{address}/box")
    assert answer.status == 501
    assert answer.message.startswith(f"registry {address} cannot be searched: it answers 404")
    nobody = shared_davitd.client.get("/images/search", term="127.0.0.1:1/box")
    assert nobody.status == 503


def test_docker_search(shared_davitd: Davitd, index: Index) -> None:
    words = ("search", "--limit", "9", "--filter", "stars=3", f"{index.address}/box")
    shown = shared_davitd.docker(*words).stdout.decode().splitlines()
    assert [line.split()[0] for line in shown] == ["NAME", "box", "team/box"]
    assert "[OK]" in shown[1]
    assert index.asked == [{"q": ["box"], "n": ["9"]}]


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("box", ("index.docker.io", "box")),
        ("team/box", ("index.docker.io", "team/box")),
        ("docker.io/library/box", ("index.docker.io", "box")),
        ("localhost/box", ("localhost", "box")),
        ("Registry.Example:5000/a/b", ("registry.example:5000", "a/b")),
    ],
)
def test_whom_it_asks(term: str, expected: tuple[str, str]) -> None:
    assert place(term) == expected
