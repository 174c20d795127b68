"""Layers that no image names: how long they stay, and who keeps them."""

import asyncio
import contextlib
import io
import itertools
import os
import tarfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from davit.errors import InvalidParameter, NotFound
from davit.model.filters import Filters
from davit.model.image import CommitSource, CommitWish
from davit.services.images import load as loading
from tests.engine.imagekit import Built, busybox, chunks, docker_archive, files
from tests.engine.services.images.conftest import EMPTY, Kit

IMAGE = busybox("box:1", extra=[files({"a": "1"}), files({"b": "2"})])


async def _orphans(kit: Kit) -> list[str]:
    """Make layers without an image, as a crash before the row leaves them; return diff IDs."""
    (image,) = await kit.load(IMAGE)
    await kit.database.run(lambda db: db.execute("DELETE FROM images"))
    await kit.restart()
    return image.layers


def _age(kit: Kit, diff_id: str, seconds: float) -> None:
    record = kit.layers.path(diff_id).with_suffix(".json")
    then = time.time() - seconds
    os.utime(record, (then, then))


def _present(kit: Kit) -> list[str]:
    return [layer.diff_id for layer in kit.layers.all()]


async def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0)


async def test_they_go_when_their_time_is_over(kit: Kit) -> None:
    layers = await _orphans(kit)
    assert sorted(_present(kit)) == sorted(layers)
    # The configuration is nothing that is expensive to get again, and these layers have no blobs.
    assert (await kit.contents())["blobs"] == []
    _age(kit, layers[0], 3700)
    _age(kit, layers[1], 3500)
    _age(kit, layers[2], 10)
    assert 0 < await kit.images.content.sweep() <= 100
    assert sorted(_present(kit)) == sorted(layers[1:])
    assert await kit.images.content.sweep(layers[1:2]) > 1000
    assert _present(kit) == layers[2:]
    assert await kit.images.content.sweep(every=True) > 1000
    assert await kit.contents() == EMPTY


async def test_their_time_goes_on_over_restarts(kit: Kit) -> None:
    layers = await _orphans(kit)
    _age(kit, layers[0], 3700)
    await kit.restart()
    assert sorted(_present(kit)) == sorted(layers[1:])


async def test_without_a_grace_period_they_go_at_once(kit: Kit) -> None:
    kit.grace = 0
    await _orphans(kit)
    assert await kit.contents() == EMPTY


async def test_what_is_held_stays_and_its_time_begins_again(kit: Kit) -> None:
    layers = await _orphans(kit)
    with kit.images.content.hold() as held:
        held.update(layers)
        for layer in layers:
            _age(kit, layer, 10**6)
        # Often enough that no layer comes to its end between two sweeps.
        assert await kit.images.content.sweep(every=True) <= kit.grace / 2
    assert sorted(_present(kit)) == sorted(layers)
    ages = [await asyncio.to_thread(kit.layers.age, layer) for layer in layers]
    assert max(ages) < 1000
    await kit.restart()
    assert sorted(_present(kit)) == sorted(layers)


async def test_the_next_load_takes_them(kit: Kit) -> None:
    layers = await _orphans(kit)
    for layer in layers:
        _age(kit, layer, 3599)
    (image,) = await kit.load(IMAGE)
    for layer in layers:
        _age(kit, layer, 3700)
    await kit.images.content.sweep(every=True)
    assert len(kit.images.directories(image.layers)) == 3


async def test_pruning_takes_them_and_tells_their_size(kit: Kit) -> None:
    await _orphans(kit)
    size = kit.images.layers_size()
    assert size > 1_000_000
    assert await kit.images.prune(Filters({})) == ([], size)
    assert await kit.contents() == EMPTY


async def test_removal_leaves_what_is_kept_for_others(kit: Kit) -> None:
    layers = await _orphans(kit)
    other = busybox("other:1", extra=[files({"other": "1"})])
    await kit.load(other)
    await kit.images.remove("other:1")
    # It shares the lowest one, which nobody had asked for apart from it.
    assert sorted(_present(kit)) == sorted(layers[1:])


async def test_a_load_that_fails_leaves_nothing(kit: Kit) -> None:
    archive = docker_archive(IMAGE).replace(b"diff_ids", b"diff_xds")
    with pytest.raises(InvalidParameter):
        await loading.load_images(kit.images.content, chunks(archive), kit.lines.append)
    assert await kit.contents() == EMPTY


async def test_a_sweep_is_not_cut(kit: Kit) -> None:
    """Who goes away in the middle does not let others in before the files are gone."""
    layers = await _orphans(kit)
    sweeping = asyncio.create_task(kit.images.content.sweep(every=True))
    await _until(lambda: not _present(kit))
    sweeping.cancel()
    (image,) = await kit.load(IMAGE)
    await asyncio.wait([sweeping])
    assert image.layers == layers
    await kit.restart()
    for directory in kit.images.directories(image.layers):
        assert os.listdir(directory)


async def test_the_timer_collects(kit: Kit) -> None:
    layers = await _orphans(kit)
    for layer in layers:
        _age(kit, layer, 3598)
    collecting = asyncio.create_task(kit.images.collect())
    await _until(lambda: not _present(kit))
    collecting.cancel()
    await asyncio.wait([collecting])
    assert (await kit.contents())["layers"] == []


async def test_everybody_at_once(kit: Kit) -> None:
    """Without a grace period whatever is not held goes at once; nobody loses what he works with."""
    kit.grace = 0
    await kit.restart()
    shared = files({"shared": bytes(200_000)})
    done: Counter[str] = Counter()

    async def repeat(work: Callable[[int], Awaitable[object]]) -> None:
        for number in itertools.count():
            if loading.done():
                return
            with contextlib.suppress(NotFound):
                await work(number)
                done[work.__name__] += 1
            await asyncio.sleep(0.001)

    async def load(number: int) -> None:
        built = Built(layers=[shared, files({"own": str(number % 3)})], tags=[f"box:{number % 3}"])
        (image,) = await kit.images.load(chunks(docker_archive(built)), kit.lines.append)
        assert image.id == built.id

    async def save(number: int) -> None:
        archive = b"".join([piece async for piece in kit.images.save([f"box:{number % 3}"])])
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            assert "manifest.json" in tar.getnames()

    async def commit(number: int) -> None:
        image = kit.images.resolve(f"box:{number % 3}")
        source = CommitSource(
            container="c" * 64,
            upper=str(kit.paths.data / "upper"),
            image_id=image.id,
            layers=image.layers,
            config=image.config.config,
            paths=frozenset(),
        )
        await kit.images.commit(source, CommitWish(tag=f"committed:{number % 2}"))

    async def remove(number: int) -> None:
        await kit.images.remove(f"box:{number % 3}", force=True)

    async def prune(_: int) -> None:
        await kit.images.prune(Filters({"dangling": ["false"]}))

    async def sweep(_: int) -> None:
        await kit.images.content.sweep(every=True)

    async def load_all() -> None:
        for number in range(20):
            await load(number)

    loading = asyncio.create_task(load_all())
    others = (load, save, save, commit, remove, prune, sweep)
    await asyncio.gather(loading, *map(repeat, others))
    assert min(done[work.__name__] for work in others) > 0, done
    for image in kit.rows.all():
        for directory in kit.images.directories(image.layers):
            assert os.listdir(directory)
        assert [piece async for piece in kit.images.save([image.id])]
    await prune(0)
    assert await kit.contents() == EMPTY
