import pytest

from davit.errors import Conflict, NotFound
from davit.model.container import Status
from davit.model.filters import Filters
from davit.model.image import Removed
from tests.engine.imagekit import Built, busybox, files
from tests.engine.services.images.conftest import EMPTY, Kit


async def test_the_last_tag_takes_the_image_with_it(kit: Kit) -> None:
    (image,) = await kit.load(busybox("box:1", "box:2"))
    kit.events.clear()
    assert await kit.images.remove("box:1") == [Removed(untagged="box:1")]
    assert kit.images.resolve("box:2").tags == ("box:2",)
    assert await kit.images.remove("box:2") == [
        Removed(untagged="box:2"),
        Removed(deleted=image.id),
        Removed(deleted=image.layers[0]),
    ]
    assert await kit.contents() == EMPTY
    assert [action for action, _ in kit.actions()] == ["untag", "untag", "delete"]


async def test_the_digest_of_another_repository_keeps_it(kit: Kit) -> None:
    """As with an image that was pulled by digest and given a tag."""
    (image,) = await kit.load(busybox("box:1"))
    pulled = f"127.0.0.1:5000/box@sha256:{'0' * 64}"
    await kit.rows.tag([(image, [pulled])])
    assert await kit.images.remove("box:1") == [Removed(untagged="box:1")]
    assert kit.images.resolve(pulled).id == image.id
    assert Removed(deleted=image.id) in await kit.images.remove(pulled)
    assert await kit.contents() == EMPTY


async def test_by_id(kit: Kit) -> None:
    (image,) = await kit.load(busybox("box:1"))
    removed = await kit.images.remove(image.id[7:19])
    assert removed[:2] == [Removed(untagged="box:1"), Removed(deleted=image.id)]
    assert await kit.contents() == EMPTY


async def test_shared_layers_stay(kit: Kit) -> None:
    await kit.load(busybox("base"), busybox("more", extra=[files({"a": "1"})]))
    removed = await kit.images.remove("more")
    assert len([entry for entry in removed if entry.deleted]) == 2
    (directory,) = kit.images.directories(kit.images.resolve("base").layers)
    assert (directory / "bin/busybox").exists()


async def test_several_repositories_need_force_by_id(kit: Kit) -> None:
    (image,) = await kit.load(busybox("a:1", "b:1"))
    before = await kit.contents()
    with pytest.raises(Conflict, match=r"must be forced\) - image is referenced in multiple"):
        await kit.images.remove(image.id)
    assert await kit.contents() == before
    await kit.images.remove(image.id, force=True)
    assert await kit.contents() == EMPTY


@pytest.mark.parametrize("force", [True, False])
async def test_a_running_container_holds_it(kit: Kit, force: bool) -> None:
    (image,) = await kit.load(busybox("box:1"))
    container = kit.use(image, Status.RUNNING)
    before = await kit.contents()
    with pytest.raises(
        Conflict,
        match=rf"cannot be forced\) - image is being used by running container {container.id[:12]}",
    ):
        await kit.images.remove(image.id, force=force)
    assert await kit.contents() == before


async def test_a_stopped_container_holds_it_without_force(kit: Kit) -> None:
    (image,) = await kit.load(busybox("box:1"))
    kit.use(image, Status.EXITED)
    with pytest.raises(Conflict, match=r"must be forced\) - image is being used by stopped"):
        await kit.images.remove(image.id)
    with pytest.raises(Conflict, match=r'unable to remove repository reference "box:1" \(must'):
        await kit.images.remove("box:1")
    await kit.images.remove(image.id, force=True)
    with pytest.raises(NotFound, match="No such image: box:1"):
        kit.images.resolve("box:1")


async def test_layers_stay_as_long_as_a_container_has_them(kit: Kit) -> None:
    (image,) = await kit.load(busybox("box:1"))
    kit.use(image, Status.EXITED)
    await kit.images.remove(image.id, force=True)
    await kit.restart()
    (directory,) = kit.images.directories(image.layers)
    assert (directory / "bin/busybox").exists()
    kit.containers.clear()
    await kit.images.sweep(image.layers)
    assert await kit.contents() == EMPTY


async def test_an_image_in_use_loses_its_name_by_force_only(kit: Kit) -> None:
    (image,) = await kit.load(busybox("box:1"))
    kit.use(image, Status.RUNNING)
    assert await kit.images.remove("box:1", force=True) == [Removed(untagged="box:1")]
    assert kit.images.resolve(image.id).tags == ()


async def test_one_of_several_tags_goes_although_it_is_in_use(kit: Kit) -> None:
    (image,) = await kit.load(busybox("box:1", "box:2"))
    kit.use(image, Status.RUNNING)
    assert await kit.images.remove("box:2") == [Removed(untagged="box:2")]


async def test_an_unknown_image(kit: Kit) -> None:
    with pytest.raises(NotFound, match="No such image: nothing:latest"):
        await kit.images.remove("nothing")


async def test_prune(kit: Kit) -> None:
    dangling = Built(layers=[files({"a": "12345"})])
    used = Built(layers=[files({"b": "1"})])
    await kit.load(dangling, used, busybox("tagged:1"))
    kit.use(kit.images.resolve(used.id), Status.EXITED)
    removed, gained = await kit.images.prune(Filters())
    assert Removed(deleted=dangling.id) in removed
    assert gained == 5
    assert {image.id for image in kit.rows.all()} == {used.id, busybox("tagged:1").id}
    removed, _ = await kit.images.prune(Filters({"dangling": ["false"]}))
    assert Removed(untagged="tagged:1") in removed
    assert {image.id for image in kit.rows.all()} == {used.id}


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        ({"label": ["keep"]}, {"b:1"}),
        ({"label!": ["keep"]}, {"a:1"}),
        ({"until": ["2023-01-01T00:00:00Z"]}, {"a:1", "b:1"}),
        ({"until": ["2025-01-01T00:00:00Z"]}, set()),
    ],
)
async def test_prune_filters(kit: Kit, filters: dict[str, list[str]], left: set[str]) -> None:
    await kit.load(busybox("a:1", Labels={"keep": "1"}), busybox("b:1"))
    await kit.images.prune(Filters({"dangling": ["0"], **filters}))
    assert {tag for image in kit.rows.all() for tag in image.tags} == left
