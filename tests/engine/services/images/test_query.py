import json

import pytest

from davit.errors import InvalidParameter, NotFound
from davit.model.container import Status
from davit.model.filters import Filters
from tests.engine.imagekit import Built, busybox, chunks, docker_archive, files
from tests.engine.services.images.conftest import Kit


class Aged(Built):
    """An image of a year."""

    @property
    def body(self) -> bytes:
        return json.dumps({**json.loads(super().body), "created": self.config["Year"]}).encode()


def aged(tag: str, year: int, **config: object) -> Built:
    created = f"{year}-01-01T00:00:00Z"
    return Aged(layers=[files({"year": str(year)})], tags=[tag], config={"Year": created, **config})


@pytest.fixture
async def three(kit: Kit) -> Kit:
    await kit.load(
        aged("old:1", 2020, Labels={"a": "1"}),
        aged("team/middle:1", 2021, Labels={"a": "2", "b": ""}),
        aged("registry.example.com/new:1", 2022),
    )
    return kit


@pytest.mark.parametrize(
    ("filters", "tags"),
    [
        ({}, ["registry.example.com/new:1", "team/middle:1", "old:1"]),
        ({"before": ["team/middle:1"]}, ["old:1"]),
        ({"since": ["team/middle:1"]}, ["registry.example.com/new:1"]),
        ({"until": ["2021-06-01"]}, ["team/middle:1", "old:1"]),
        ({"label": ["a"]}, ["team/middle:1", "old:1"]),
        ({"label": ["a=2", "b"]}, ["team/middle:1"]),
        ({"reference": ["old"]}, ["old:1"]),
        ({"reference": ["o*:1"]}, ["old:1"]),
        ({"reference": ["*"]}, ["old:1"]),
        ({"reference": ["*/*"]}, ["registry.example.com/new:1", "team/middle:1"]),
        ({"reference": ["[a-o]?d"]}, ["old:1"]),
        ({"reference": ["none"]}, []),
        ({"dangling": ["true"]}, []),
        ({"dangling": ["false"], "label": ["a=1"]}, ["old:1"]),
    ],
)
async def test_filters(three: Kit, filters: dict[str, list[str]], tags: list[str]) -> None:
    assert [tag for entry in three.images.select(Filters(filters)) for tag in entry.tags] == tags


async def test_dangling(three: Kit) -> None:
    await three.load(Built(layers=[files({"x": "1"})]))
    assert len(three.images.select(Filters())) == 4
    (entry,) = three.images.select(Filters({"dangling": ["true"]}))
    assert entry.tags == ()
    assert len(three.images.select(Filters({"dangling": ["false"]}))) == 3
    assert len(three.images.select(Filters({"reference": ["*"]}))) == 1


async def test_bad_filters(three: Kit) -> None:
    with pytest.raises(NotFound, match="No such image: none:latest"):
        three.images.select(Filters({"before": ["none"]}))
    with pytest.raises(InvalidParameter, match="bad pattern"):
        three.images.select(Filters({"reference": ["[z-a]"]}))


async def test_shared_size_and_containers(kit: Kit) -> None:
    layer = files({"own": "12345"})
    one, two = await kit.load(busybox("one"), busybox("two", extra=[layer]))
    kit.use(two, Status.EXITED)
    by_tag = {entry.tags[0]: entry for entry in kit.images.select(Filters(), shared=True)}
    assert by_tag["one:latest"].shared_size == by_tag["two:latest"].shared_size == one.size
    assert by_tag["two:latest"].image.size == one.size + 5
    assert by_tag["two:latest"].containers == 1
    assert kit.images.layers_size() == one.size + 5


async def test_history(kit: Kit) -> None:
    built = busybox("box:1", extra=[files({"a": "12345"})])
    body = json.loads(built.body)
    body["history"].insert(
        1, {"created": body["created"], "created_by": "ENV", "empty_layer": True}
    )

    class WithEmptyLayer(Built):
        @property
        def body(self) -> bytes:
            return json.dumps(body).encode()

    (image,) = await kit.load(WithEmptyLayer(layers=built.layers, tags=built.tags))
    steps = kit.images.history("box:1")
    assert [step.history.created_by for step in steps] == ["layer 1", "ENV", "layer 0"]
    assert [step.size for step in steps] == [5, 0, image.size - 5]
    assert [step.id for step in steps] == [image.id, "", ""]
    assert [step.tags for step in steps] == [("box:1",), (), ()]


async def test_resolve(kit: Kit) -> None:
    one, two = await kit.load(busybox("busybox:latest"), busybox("busybox:2", Env=["A=2"]))
    names = ["busybox", "docker.io/library/busybox:latest", one.id, one.id[7:], one.id[:15]]
    assert {kit.images.resolve(name).id for name in names} == {one.id}
    assert kit.images.resolve("library/busybox:2").id == two.id


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("none", "none:latest"),
        ("team/none:1", "team/none:1"),
        ("sha256:" + "0" * 64, "sha256:" + "0" * 64),
        ("0" * 64, "0" * 64),
        ("sha256:00", "sha256:00"),
        ("busybox@sha256:" + "0" * 64, "busybox@sha256:" + "0" * 64),
    ],
)
async def test_unknown_images(kit: Kit, name: str, shown: str) -> None:
    await kit.load(busybox())
    with pytest.raises(NotFound, match=f"^No such image: {shown}$"):
        kit.images.resolve(name)


async def test_an_ambiguous_id(kit: Kit) -> None:
    seen: dict[str, Built] = {}
    number = 0
    while True:
        built = Built(layers=[], config={"Env": [f"N={number}"]})
        digit = built.id[7]
        if digit in seen:
            break
        seen[digit] = built
        number += 1
    await kit.images.load(chunks(docker_archive(built, seen[digit])), kit.lines.append)
    with pytest.raises(InvalidParameter, match=f"several image IDs begin with {digit}"):
        kit.images.resolve(f"sha256:{digit}")
