"""Images of registries: pulled when they have another one, pushed when they lack it; logins."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine import imagekit, registrykit
from tests.engine.registrykit import PASSWORD, USER, Shelf
from tests.integration.conftest import Fleet

LOGIN = {"username": USER, "password": PASSWORD}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registrykit.registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registrykit.registry(tmp_path_factory.mktemp("guarded"), auth=True) as found:
        yield found


@pytest.fixture
def shelf(address: str, fleet: Fleet) -> Iterator[Shelf]:
    found = Shelf(address, f"of-{fleet.flavor}/app")
    yield found
    empty(fleet, address)


@pytest.fixture
def login_file(tmp_path: Path) -> str:
    return str(tmp_path / "config.json")


def empty(fleet: Fleet, address: str) -> None:
    """Take the names of a registry off the engine's images; those without another one go."""
    for image in fleet.client.get("/images/json").json:
        for name in [*(image["RepoTags"] or []), *(image["RepoDigests"] or [])]:
            if name.startswith(address):
                fleet.client.delete(f"/images/{name}", force=True)


def numbered(number: int, architecture: str = "") -> imagekit.Built:
    architecture = architecture or imagekit.host_architecture()
    layers = [imagekit.files({"number": str(number)})]
    return imagekit.Built(layers, platform={"os": "linux", "architecture": architecture})


def test_pull_of_a_tag_that_moves(fleet: Fleet, shelf: Shelf) -> None:
    name = f"{shelf.name}:stable"
    first, second = numbered(1), numbered(2)
    shelf.image("stable", first)
    assert fleet.apply("image", name=name, pull="always")["changed"]
    shelf.image("stable", second)
    # There is one of that name, and that is enough.
    assert not fleet.run("image", name=name)["changed"]
    assert not fleet.run("image", name=name, pull="never")["changed"]
    (action,) = fleet.apply("image", name=name, pull="always")["actions"]
    assert action["reason"] == "the registry has another one"
    assert fleet.client.get(f"/images/{name}/json").json["Id"] == second.id


def test_check_mode_downloads_nothing(fleet: Fleet, shelf: Shelf) -> None:
    name = f"{shelf.name}:new"
    shelf.image("new", numbered(3))
    foretold = fleet.run("image", name=name, pull="always", check=True)
    assert [item["action"] for item in foretold["actions"]] == ["pull"]
    assert fleet.client.get(f"/images/{name}/json").status == 404


def test_pin(fleet: Fleet, shelf: Shelf) -> None:
    built = numbered(4)
    digest = shelf.image("pinned", built)
    shelf.image("pinned", numbered(5))
    for name in (f"{shelf.name}@{digest}", f"{shelf.name}:pinned@{digest}"):
        fleet.apply("image", name=name, pull="always")
        assert fleet.client.get(f"/images/{shelf.name}@{digest}/json").json["Id"] == built.id
        fleet.apply("image", name=name, state="absent")


def test_platform(fleet: Fleet, shelf: Shelf) -> None:
    name = f"{shelf.name}:many"
    here, there = numbered(6), numbered(7, "s390x")
    shelf.index("many", here, there)
    fleet.apply("image", name=name)
    (action,) = fleet.apply("image", name=name, platform="linux/s390x")["actions"]
    assert action["reason"].startswith("it is for linux/")
    assert fleet.client.get(f"/images/{name}/json").json["Id"] == there.id
    shelf.image("one", here)
    failed = fleet.run("image", name=f"{shelf.name}:one", platform="linux/s390x", fails=True)
    assert "linux/" in failed["msg"], failed["msg"]


def test_image_that_a_registry_does_not_have(fleet: Fleet, shelf: Shelf) -> None:
    name = f"{shelf.name}:none"
    shelf.image("some", numbered(8))
    failed = fleet.run("image", name=name, fails=True)
    assert "manifest unknown" in failed["msg"]
    fleet.run("image", name=f"{shelf.name}:some")
    fleet.client.post(f"/images/{shelf.name}:some/tag", repo=shelf.name, tag="none")
    for check in (True, False):
        failed = fleet.run("image", name=name, pull="always", check=check, fails=True)
        assert "does not have it" in failed["msg"]


def test_registry_that_is_not_there(fleet: Fleet) -> None:
    address = f"127.0.0.1:{registrykit.free_port()}"
    failed = fleet.run("image", name=f"{address}/app:1", fails=True)
    assert f"must reach the registry at {address}" in failed["msg"]


def test_push(fleet: Fleet, shelf: Shelf) -> None:
    name = f"{shelf.name}:pushed"
    pushed = fleet.apply("image_push", name=name, image="busybox")
    assert [item["action"] for item in pushed["actions"]] == ["tag", "push"]
    assert pushed["digest"] == imagekit.digest(shelf.raw("pushed"))
    assert fleet.run("image_push", name=name)["digest"] == pushed["digest"]
    # Somebody else has moved the tag there: it is moved back.
    shelf.image("pushed", numbered(9))
    (action,) = fleet.apply("image_push", name=name)["actions"]
    assert action["reason"] == "the registry has another one"
    assert imagekit.digest(shelf.raw("pushed")) == pushed["digest"]


def test_push_of_nothing(fleet: Fleet, shelf: Shelf) -> None:
    failed = fleet.run("image_push", name=f"{shelf.name}:9", fails=True)
    assert "is not on the host" in failed["msg"]


def test_login(fleet: Fleet, guarded: str, login_file: str) -> None:
    file = Path(login_file)
    where = {"registry": guarded, "login_file": login_file}
    failed = fleet.run("login", **where, username=USER, password="wrong", fails=True)
    assert f"those of {USER}" in failed["msg"]
    assert not file.exists()
    fleet.apply("login", **where, **LOGIN)
    assert file.stat().st_mode & 0o777 == 0o600
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    assert json.loads(file.read_text()) == {"auths": {guarded: {"auth": auth}}}
    fleet.apply("login", **where, state="absent")
    assert json.loads(file.read_text()) == {"auths": {}}


def test_credentials(fleet: Fleet, guarded: str, login_file: str) -> None:
    name = f"{guarded}/of-{fleet.flavor}/app:1"
    failed = fleet.run("image_push", name=name, image="busybox", login_file=login_file, fails=True)
    assert "log in with davit.fleet.login" in failed["msg"]
    fleet.apply("image_push", name=name, image="busybox", login_file=login_file, **LOGIN)
    empty(fleet, guarded)
    failed = fleet.run("image", name=name, username=USER, password="wrong", fails=True)
    assert f"those of {USER}" in failed["msg"]
    assert "wrong" not in json.dumps(failed)
    # What is a secret in a list of objects is one, too.
    image = {"name": name, "username": USER, "password": "never shown"}
    failed = fleet.run("workload", project="p", images=[image], fails=True)
    assert "never shown" not in json.dumps(failed)
    fleet.run("login", registry=guarded, login_file=login_file, **LOGIN)
    fleet.apply("image", name=name, pull="always", login_file=login_file)
    empty(fleet, guarded)
