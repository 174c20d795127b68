"""Requests made from Docker's description, sense and nonsense: none makes davitd stumble."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from docker.transport import UnixHTTPAdapter
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from tests.engine.compat.descriptions import NEWEST, path
from tests.engine.conftest import Davitd

_BASE = f"http://davit/v{NEWEST}"
_EXAMPLES = 10
# They would reach out to other machines, or wait for what nobody sends.
_LEFT_OUT = {
    "/auth",
    "/build",
    "/distribution/{name}/json",
    "/images/create",
    "/images/search",
    "/images/{name}/push",
    "/session",
}
# Objects that are there; nothing that is not described can have these names.
_KNOWN = {
    "containers": ["box", "idle", "none"],
    "exec": ["none"],
    "images": ["busybox", "none"],
    "networks": ["bridge", "net", "none"],
    "volumes": ["data", "none"],
}
_TAGS = ("Container", "Exec", "Image", "Network", "System", "Volume")


@schemathesis.serializer("application/x-tar", "application/octet-stream", "text/plain")
def as_it_is(_: object, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


@pytest.fixture(scope="module")
def world(shared_davitd: Davitd) -> Davitd:
    client = shared_davitd.client
    assert client.post("/volumes/create", {"Name": "data"}).status == 201
    assert client.post("/networks/create", {"Name": "net"}).status == 201
    body = {"Image": "busybox", "Cmd": ["sleep", "600"], "StopTimeout": 0}
    for name in ("box", "idle"):
        assert client.post("/containers/create", body, name=name).status == 201
    assert client.post("/containers/box/start").status == 204
    return shared_davitd


@pytest.fixture(scope="module")
def schema() -> Any:
    return schemathesis.openapi.from_path(str(path(NEWEST)))


@pytest.fixture
def session(world: Davitd) -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env = False
        made.mount("http://davit/", UnixHTTPAdapter(f"http+unix://{world.socket}"))
        yield made


@pytest.mark.parametrize("tag", _TAGS)
def test_no_request_makes_it_stumble(
    world: Davitd, schema: Any, session: requests.Session, tag: str
) -> None:
    operations = [found.ok() for found in schema.include(tag=tag).get_all_operations()]
    assert operations
    for operation in sorted(operations, key=_destroys):
        if operation.path not in _LEFT_OUT:
            _try(operation, session)
    assert world.client.get("/_ping").status == 200


def _destroys(operation: Any) -> bool:
    return operation.method == "delete" or operation.path.endswith("/prune")


def _try(operation: Any, session: requests.Session) -> None:
    """Send requests; the same ones in each run."""
    cases = st.one_of(operation.as_strategy(generation_mode=mode) for mode in GenerationMode)

    @settings(
        max_examples=_EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def send(case: Any) -> None:
        _tame(case)
        request = case.as_transport_kwargs(base_url=_BASE)
        # Only the head: some answers go on for as long as the client likes.
        with session.request(**request, stream=True, timeout=20) as answer:
            assert answer.status_code < 500 or answer.status_code in (501, 503), (
                case.method,
                request["url"],
                request.get("params"),
                request.get("json"),
                answer.status_code,
                answer.text,
            )
            if answer.status_code >= 400 and case.method != "HEAD":
                assert set(answer.json()) == {"message"}

    send()


def _tame(case: Any) -> None:
    """Let a request hit something, and nothing of this machine that is not the test's."""
    group = case.operation.path.split("/")[1]
    for name in case.path_parameters or {}:
        choice = _KNOWN.get(group)
        if choice:
            text = str(case.path_parameters[name])
            case.path_parameters[name] = choice[sum(text.encode(errors="replace")) % len(choice)]
    query = case.query if case.query is not None else {}
    if "t" in query:
        query["t"] = 0  # It would be waited for,
    if case.operation.path.endswith("/stats"):
        query |= {"stream": "false", "one-shot": "true"}  # as would a second reading.
    if case.operation.path == "/containers/create" and isinstance(case.body, dict):
        case.body["Image"] = "busybox"
        host = case.body.get("HostConfig")
        if isinstance(host, dict):
            # Directories of the host that are missing would be made.
            host.pop("Binds", None)
