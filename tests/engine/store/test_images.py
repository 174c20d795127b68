import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from davit.model.image import Image, ImageConfig
from davit.store.db import Database
from davit.store.images import ImageStore


def image(digit: str) -> Image:
    return Image(id=f"sha256:{digit * 64}", config=ImageConfig(), size=0, loaded=1)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "state.db")
    await database.open()
    yield database
    await database.close()


async def tags(database: Database) -> dict[str, tuple[str, ...]]:
    """What a restarted daemon finds."""
    store = ImageStore(database)
    await store.load()
    return {row.id[7]: row.tags for row in store.all()}


async def test_a_tag_is_taken_from_its_holder(database: Database) -> None:
    store = ImageStore(database)
    await store.tag([(image("a"), ["x:1", "x:2", "x:3"])])
    await store.tag([(image("b"), ["x:1", "x:3"])])
    assert await tags(database) == {"a": ("x:2",), "b": ("x:1", "x:3")}
    assert store.get("x:1").id[7] == "b"
    assert store.get("x:2").id[7] == "a"
    assert store.get("x:1").tagged > 0


async def test_one_call_may_move_a_tag_between_its_own_images(database: Database) -> None:
    store = ImageStore(database)
    await store.tag([(image("a"), ["x:1"])])
    await store.tag([(image("b"), ["x:1"]), (store.get("x:1"), ["y:1"])])
    assert await tags(database) == {"a": ("y:1",), "b": ("x:1",)}


async def test_the_same_image_twice_in_one_call(database: Database) -> None:
    store = ImageStore(database)
    await store.tag([(image("a"), ["x:1"]), (image("a"), ["x:2"])])
    assert await tags(database) == {"a": ("x:1", "x:2")}


async def test_a_removed_image_is_gone(database: Database) -> None:
    store = ImageStore(database)
    await store.tag([(image("a"), ["x:1"]), (image("b"), [])])
    await store.change([], [image("a").id])
    assert store.tagged("x:1") is None
    assert store.find(image("a").id) is None
    assert await tags(database) == {"b": ()}


async def test_two_images_of_one_call_that_want_one_tag(database: Database) -> None:
    store = ImageStore(database)
    await store.tag([(image("a"), ["x:1"]), (image("b"), ["x:1"])])
    assert await tags(database) == {"a": (), "b": ("x:1",)}
    assert store.get("x:1").id[7] == "b"


async def test_concurrent_tags_of_one_image(database: Database) -> None:
    store = ImageStore(database)
    first = image("a")
    await store.tag([(first, [])])
    await asyncio.gather(*(store.tag([(first, [f"x:{n}"])]) for n in range(5)))
    assert sorted((await tags(database))["a"]) == [f"x:{n}" for n in range(5)]


async def test_concurrent_calls(database: Database) -> None:
    store = ImageStore(database)
    await asyncio.gather(*(store.tag([(image(d), [f"x:{d}"])]) for d in "abcdef"))
    assert await tags(database) == {d: (f"x:{d}",) for d in "abcdef"}
