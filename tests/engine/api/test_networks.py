import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from davit.api.routes import networks
from davit.config import AddressPool, Settings
from davit.model.network import EndpointSettings, Network, Sandbox
from davit.services.events import EventService
from davit.services.networks.service import NetworkService
from davit.store.db import Database
from davit.store.paths import Paths
from tests.engine.api.conftest import Serve, ask


class Containers:
    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []

    async def connect(self, network: str, container: str, wish: EndpointSettings, /) -> None:
        self.seen.append(("connect", network, container, wish.aliases))

    async def disconnect(self, network: str, container: str, /, *, force: bool) -> None:
        self.seen.append(("disconnect", network, container, force))

    def members(self, network: Network) -> list[Sandbox]:
        return []


class Api:
    def __init__(self, socket: Path, containers: Containers) -> None:
        self._socket = socket
        self.containers = containers

    async def __call__(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        text = "" if body is None else json.dumps(body)
        answer = await ask(
            self._socket, f"{method} {path} HTTP/1.1\nContent-Length: {len(text)}\n\n{text}"
        )
        head, _, content = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(content) if content else None


@pytest.fixture
async def api(tmp_path: Path, serve: Serve) -> AsyncIterator[Api]:
    """The routes on real networks; nothing in the services may block the event loop."""
    settings = Settings(
        data_root=tmp_path / "data",
        run_root=tmp_path / "run",
        default_address_pools=(AddressPool("10.234.0.0/16", 24),),
    )
    paths = Paths(settings.data_root, settings.run_root)
    database = Database(paths.database)
    await database.open()
    service = NetworkService(settings, paths, database, EventService())
    await service.open(())
    containers = Containers()
    yield Api(await serve(networks.routes(service, containers)), containers)
    await service.erase()
    await service.close()
    await database.close()


async def test_create_inspect_list_and_remove(api: Api) -> None:
    spec = {
        "Name": "app",
        "CheckDuplicate": True,
        "IPAM": {"Config": [{"Subnet": "10.235.0.0/24", "Gateway": None}]},
        "Labels": {"a": "b"},
        "Options": None,
    }
    status, created = await api("POST", "/networks/create", spec)
    assert (status, created["Warning"]) == (201, "")
    status, shown = await api("GET", "/v1.51/networks/app")
    assert status == 200
    created_at = shown.pop("Created")
    assert created_at.startswith("20")
    assert shown == {
        "Name": "app",
        "Id": created["Id"],
        "Scope": "local",
        "Driver": "bridge",
        "EnableIPv4": True,
        "EnableIPv6": False,
        "IPAM": {
            "Driver": "default",
            "Options": None,
            "Config": [{"Subnet": "10.235.0.0/24", "Gateway": "10.235.0.1"}],
        },
        "Internal": False,
        "Attachable": False,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": {},
        "Options": {},
        "Labels": {"a": "b"},
    }
    status, found = await api("GET", '/networks?filters={"label":["a=b"]}')
    assert [row["Name"] for row in found] == ["app"]
    assert (await api("DELETE", f"/networks/{created['Id'][:12]}"))[0] == 204
    assert await api("GET", "/networks/app") == (404, {"message": "network app not found"})


async def test_a_network_with_ipv6_shows_both_subnets(api: Api) -> None:
    subnets = [{"Subnet": "fd00:235::/64"}, {"Subnet": "10.235.0.0/24"}]
    spec = {"Name": "dual", "EnableIPv6": True, "IPAM": {"Config": subnets}}
    assert (await api("POST", "/networks/create", spec))[0] == 201
    _, shown = await api("GET", "/networks/dual")
    assert shown["EnableIPv6"] is True
    assert shown["IPAM"]["Config"] == [
        {"Subnet": "10.235.0.0/24", "Gateway": "10.235.0.1"},
        {"Subnet": "fd00:235::/64", "Gateway": "fd00:235::1"},
    ]
    assert (await api("DELETE", "/networks/dual"))[0] == 204


async def test_networks_without_ipv4_came_with_api_1_48(api: Api) -> None:
    spec = {"Name": "six", "EnableIPv4": False, "EnableIPv6": True}
    for version, has_ipv4 in (("v1.47", True), ("v1.48", False)):
        assert (await api("POST", f"/{version}/networks/create", spec))[0] == 201
        _, shown = await api("GET", "/networks/six")
        assert (shown["EnableIPv4"], shown["EnableIPv6"]) == (has_ipv4, True)
        assert len(shown["IPAM"]["Config"]) == 1 + has_ipv4
        assert (await api("DELETE", "/networks/six"))[0] == 204


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("POST", "/networks/create", {"Name": 7}, 400, "$.Name"),
        ("POST", "/networks/create", {"Name": "bridge"}, 409, "network with name bridge already"),
        ("POST", "/networks/create", {"Name": "x", "Driver": "ipvlan"}, 501, '"ipvlan" is not'),
        ("DELETE", "/networks/bridge", None, 403, "bridge is a pre-defined network"),
        ("GET", '/networks?filters={"x":["y"]}', None, 400, "invalid filter 'x'"),
        ("POST", "/networks/bridge/connect", {"EndpointConfig": {}}, 400, "Container"),
    ],
)
async def test_bad_input(
    api: Api, method: str, path: str, body: object, status: int, words: str
) -> None:
    answered, answer = await api(method, path, body)
    assert (answered, words in answer["message"]) == (status, True), answer


async def test_prune(api: Api) -> None:
    assert await api("POST", "/networks/prune") == (200, {"NetworksDeleted": None})
    await api("POST", "/networks/create", {"Name": "app"})
    assert await api("POST", "/networks/prune") == (200, {"NetworksDeleted": ["app"]})


async def test_connect_and_disconnect_go_to_the_containers(api: Api) -> None:
    wish = {"Container": "web", "EndpointConfig": {"Aliases": ["www"]}}
    assert (await api("POST", "/networks/app/connect", wish))[0] == 200
    leave = {"Container": "web", "Force": True}
    assert (await api("POST", "/networks/app/disconnect", leave))[0] == 200
    assert api.containers.seen == [
        ("connect", "app", "web", ["www"]),
        ("disconnect", "app", "web", True),
    ]
