"""Volumes on a real directory, with containers that the test makes up."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from davit.drivers.volume.local import LocalVolumes
from davit.errors import Conflict, InvalidParameter, NotFound, SystemFailure
from davit.model.config import ContainerConfig, HostConfig
from davit.model.container import Container
from davit.model.filters import Filters
from davit.model.volume import MountPoint
from davit.services.volumes import VolumeService
from davit.store.db import Database
from davit.store.volumes import VolumeStore


class Kit:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.rows: list[Container] = []
        self.events: list[tuple[str, str]] = []

    def all(self) -> list[Container]:
        return self.rows

    def publish(self, kind: str, action: str, actor: str, attributes: Mapping[str, str]) -> None:
        assert kind == "volume"
        self.events.append((action, actor))

    async def open(self) -> None:
        self.database = Database(self.root / "state.db")
        await self.database.open()
        store = VolumeStore(self.database)
        await store.load()
        self.driver = LocalVolumes(self.root / "volumes")
        self.volumes = VolumeService(store, self.driver, self, self.publish)
        await self.volumes.recover()

    def use(self, name: str) -> None:
        self.rows.append(
            Container(
                id="c" * 64,
                name="user",
                created=1,
                image_id="",
                config=ContainerConfig(),
                host_config=HostConfig(),
                path="x",
                args=[],
                mounts=[MountPoint(type="volume", name=name, destination="/x")],
            )
        )

    def directories(self) -> list[str]:
        path = self.root / "volumes"
        return sorted(os.listdir(path)) if path.exists() else []


@pytest.fixture
async def kit(tmp_path: Path) -> AsyncIterator[Kit]:
    made = Kit(tmp_path)
    await made.open()
    yield made
    await made.database.close()


async def test_creating_twice_gives_the_same(kit: Kit) -> None:
    first = await kit.volumes.create("data", labels={"a": "b"})
    assert await kit.volumes.create("data") == first
    assert kit.volumes.path("data").stat().st_mode & 0o777 == 0o755
    assert kit.events == [("create", "data")]
    anonymous = await kit.volumes.create("")
    assert anonymous.anonymous
    assert len(anonymous.name) == 64


@pytest.mark.parametrize(
    ("name", "driver", "options", "kind", "words"),
    [
        ("a b", "local", {}, InvalidParameter, "includes invalid characters"),
        ("../x", "local", {}, InvalidParameter, "includes invalid characters"),
        ("d", "local", {}, InvalidParameter, "create d: volume name is too short"),
        ("data", "flocker", {}, NotFound, 'plugin "flocker" not found'),
        ("data", "local", {"size": "1G"}, InvalidParameter, "create data: quota size"),
        ("data", "local", {"type": "nfs"}, InvalidParameter, 'missing required option: "device"'),
    ],
)
async def test_bad_volumes_leave_nothing(
    kit: Kit, name: str, driver: str, options: dict[str, str], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        await kit.volumes.create(name, driver=driver, options=options)
    assert kit.volumes.all() == []
    assert kit.directories() == []


async def test_a_volume_in_use_stays(kit: Kit) -> None:
    await kit.volumes.create("data")
    kit.use("data")
    with pytest.raises(Conflict, match=rf"remove data: volume is in use - \[{'c' * 64}\]"):
        await kit.volumes.remove("data", force=True)
    assert kit.volumes.path("data").is_dir()
    kit.rows.clear()
    await kit.volumes.remove("data")
    assert kit.directories() == []
    with pytest.raises(NotFound, match="get data: no such volume"):
        await kit.volumes.remove("data")
    await kit.volumes.remove("data", force=True)


async def test_list_and_prune(kit: Kit) -> None:
    for name, labels in (("one", {"k": "v"}), ("two", {}), ("used", {})):
        await kit.volumes.create(name, labels=labels)
    anonymous = await kit.volumes.create("")
    kit.use("used")

    def names(**filters: list[str]) -> list[str]:
        found = kit.volumes.select(Filters(filters))
        return [volume.name for volume in found if not volume.anonymous]

    assert names() == ["one", "two", "used"]
    assert names(dangling=["true"]) == ["one", "two"]
    assert names(dangling=["false"]) == ["used"]
    assert names(name=["w"]) == ["two"]
    assert names(label=["k=v"]) == ["one"]
    assert names(driver=["other"]) == []
    (kit.volumes.path(anonymous.name) / "file").write_bytes(b"x" * 8192)
    removed, gained = await kit.volumes.prune(Filters())
    assert removed == [anonymous.name]
    assert gained >= 8192
    removed, _ = await kit.volumes.prune(Filters({"all": ["1"], "label!": ["k"]}))
    assert removed == ["two"]
    assert names() == ["one", "used"]


async def test_a_mount_of_options_lasts_as_long_as_its_users(kit: Kit, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").touch()
    options = {"type": "none", "o": "bind", "device": str(source)}
    await kit.volumes.create("bound", options=options)
    for user in ("first", "second"):
        path = await kit.volumes.mount("bound", user)
    assert os.listdir(path) == ["file"]
    await kit.volumes.unmount("bound", "first")
    assert os.listdir(path) == ["file"]
    await kit.volumes.unmount("bound", "second")
    assert os.listdir(path) == []
    await kit.volumes.create("broken", options={**options, "device": "/not/there"})
    with pytest.raises(SystemFailure, match="/not/there"):
        await kit.volumes.mount("broken", "first")


async def test_interrupted_removals_are_finished_or_undone(kit: Kit) -> None:
    for name in ("kept", "gone"):
        await kit.volumes.create(name)
        (kit.volumes.path(name) / "file").touch()
        await kit.driver.hide(name)
    await kit.database.delete("volumes", "gone")
    await kit.driver.create("never-acknowledged")
    await kit.database.close()
    await kit.open()
    assert kit.directories() == ["kept"]
    assert (kit.volumes.path("kept") / "file").exists()


async def test_a_volume_of_a_container_being_created_stays(kit: Kit) -> None:
    await kit.volumes.create("data")
    with kit.volumes.hold("data"):
        with pytest.raises(Conflict, match="a container is being created"):
            await kit.volumes.remove("data")
        assert await kit.volumes.prune(Filters(), named=True) == ([], 0)
    await kit.volumes.remove("data")
