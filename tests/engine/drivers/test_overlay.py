"""overlayfs for real: layers, limits, and what is left behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from davit.drivers.overlay import OverlayRootfs
from davit.errors import SystemFailure, Unavailable


class World:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.rootfs = OverlayRootfs(root / "m")
        self.target = root / "target"

    def layer(self, name: str, **files: str) -> Path:
        path = self.root / name
        path.mkdir()
        for file, text in files.items():
            (path / file).write_text(text)
        return path

    async def mount(self, *lower: Path, upper: str = "upper") -> None:
        await self.rootfs.mount(
            lower=lower,
            upper=self.root / upper,
            work=self.root / f"{upper}-work",
            target=self.target,
        )

    def is_mounted(self) -> bool:
        return f" {self.target} " in Path("/proc/self/mountinfo").read_text()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    with blockbuster_ctx("davit"):
        yield world
    await world.rootfs.unmount(world.target)
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


async def test_the_topmost_layer_wins_and_changes_go_to_the_upper_directory(world: World) -> None:
    await world.mount(world.layer("1", a="low", b="low"), world.layer("2", b="high"))
    assert (world.target / "a").read_text() == "low"
    assert (world.target / "b").read_text() == "high"
    (world.target / "c").write_text("new")
    assert (world.root / "upper/c").read_text() == "new"


async def test_changes_survive_an_unmount(world: World) -> None:
    layer = world.layer("1", a="1")
    await world.mount(layer)
    (world.target / "a").unlink()
    await world.rootfs.unmount(world.target)
    assert list(world.target.iterdir()) == []
    await world.mount(layer)
    assert list(world.target.iterdir()) == []


async def test_a_busy_mount_goes_with_its_last_user_and_can_be_made_again(world: World) -> None:
    layer = world.layer("1", a="1")
    await world.mount(layer)
    with (world.target / "a").open() as file:
        await world.rootfs.unmount(world.target)
        assert not world.is_mounted()
        await world.mount(layer)
        assert file.read() == "1"


async def test_no_layers_at_all(world: World) -> None:
    await world.mount()
    (world.target / "x").write_text("x")
    assert [path.name for path in (world.root / "upper").iterdir()] == ["x"]


async def test_special_characters_in_paths(world: World) -> None:
    await world.mount(world.layer("a,b:c\\d", x="1"), world.layer("e:f"), upper="u,p\\:")
    assert (world.target / "x").read_text() == "1"


async def test_unmounting_what_is_not_mounted_is_nothing(world: World) -> None:
    await world.rootfs.unmount(world.target)
    await world.rootfs.unmount(world.root / "none/at/all")


async def test_too_many_layers_for_a_page_are_refused_by_name(world: World) -> None:
    layers = [world.layer("x" * 200 + str(number)) for number in range(20)]
    with pytest.raises(SystemFailure, match="the paths of its 20 layers take more than the 4095"):
        await world.mount(*layers)
    assert not world.is_mounted()


async def test_a_missing_layer_is_an_error_of_the_host(world: World) -> None:
    with pytest.raises(SystemFailure, match=f"cannot mount {world.target}: No such file"):
        await world.mount(world.root / "missing")


async def test_a_data_root_on_overlayfs_is_refused(world: World) -> None:
    world.rootfs.check(world.root)
    await world.mount(world.layer("1"))
    with pytest.raises(Unavailable, match="lies on overlayfs, which does not stack"):
        world.rootfs.check(world.target)
