import gzip
import io
import random
import tarfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davit.drivers.tar.split import Splitter, joined
from davit.drivers.tar.stream import CHUNK, drain
from davit.drivers.tar.unpack import unpack
from davit.errors import SystemFailure
from tests.engine.imagekit import directory, hard_link, layer, member, symlink


class Slow:
    """Gives pieces of any length but none that was asked for."""

    def __init__(self, data: bytes, chance: random.Random) -> None:
        self._file = io.BytesIO(data)
        self._chance = chance

    def read(self, size: int) -> bytes:
        return self._file.read(self._chance.randint(1, size))


def split(archive: bytes, root: Path, seed: int = 1) -> bytes:
    """Unpack an archive below ``root``; return what came whole, as files replace each other."""
    tree, whole = root / "tree", io.BytesIO()
    tree.mkdir()
    source = Slow(archive, random.Random(seed))
    with closing(Splitter(source, root / "split", tree, lambda: whole)) as splitter:
        unpack(splitter, tree, splitter=splitter)
        drain(splitter)
    return whole.getvalue()


def join(root: Path) -> bytes:
    with (root / "split").open("rb") as file:
        pieces = list(joined(file, root / "tree"))
    assert all(len(piece) <= 3 * CHUNK for piece in pieces)
    return b"".join(pieces)


NOISE = random.Random(2).randbytes(300_000)
MEMBERS = [
    directory("./"),
    directory("d", 0o700, uid=5),
    member("d/small", b"x" * 511),
    member("d/block", b"x" * 512),
    member("d/large", NOISE),
    member("d/odd", NOISE[:100_001]),
    member("d/\udcff-no-utf8", b"y" * 999),
    member("d/" + "long" * 60, b"z" * 2000),
    hard_link("d/again", "d/large"),
    symlink("e", "d"),
    member("e/behind-a-link", b"w" * 5000),
    member("d/.wh.gone"),
    member("d/.wh..wh..opq"),
    member("d/.wh.big", b"v" * 3000),
    member("missing/parents/file", b"u" * 1000),
    member("null", None, tarfile.CHRTYPE, devmajor=1, devminor=3),
]


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("seed", range(10))
def test_the_tar_is_made_again(tmp_path: Path, kind: int, seed: int) -> None:
    # There may be more than zeros behind the end mark.
    archive = layer(MEMBERS, kind) + b"and more" * 100_000
    assert split(archive, tmp_path, seed) == b""
    assert join(tmp_path) == archive
    # Contents are kept as files only.
    assert (tmp_path / "split").stat().st_size < 9000


def test_an_empty_tar(tmp_path: Path) -> None:
    split(layer([]), tmp_path)
    assert join(tmp_path) == layer([])


REPLACED = [
    ([member("f", b"1" * 600), member("f", b"2" * 600)], "a file"),
    ([directory("d"), member("d/f", b"1" * 600), member("d", b"2" * 600)], "a directory"),
    ([member("f", b"1" * 600), directory("f"), member("f/g", b"2" * 600)], "by a directory"),
    ([member("f", b"1" * 600), symlink("f", "g"), member("g", b"2" * 600)], "by a link"),
    ([member("f", b"1" * 600), member("g", b"2" * 600), hard_link("f", "g")], "by a hard link"),
]


@pytest.mark.parametrize(
    "members", [item for item, _ in REPLACED], ids=[name for _, name in REPLACED]
)
@pytest.mark.parametrize("seed", range(5))
def test_what_is_replaced_makes_it_whole(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]], seed: int
) -> None:
    archive = layer([member("before", NOISE), *members, member("after", NOISE), *members])
    assert split(archive, tmp_path, seed) == archive
    assert not (tmp_path / "split").exists()


@given(
    sizes=st.lists(st.integers(0, 3000), max_size=30),
    names=st.lists(st.integers(0, 40), min_size=30, max_size=30),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_any_files(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], names: list[int], seed: int
) -> None:
    root = tmp_path_factory.mktemp("any")
    archive = layer(
        member(f"f{name}", NOISE[name : name + size])
        for name, size in zip(names, sizes, strict=False)
    )
    whole = split(archive, root, seed)
    assert (whole or join(root)) == archive


def test_damage_is_told(tmp_path: Path) -> None:
    split(layer(MEMBERS), tmp_path)
    (tmp_path / "tree/d/odd").unlink()
    (tmp_path / "tree/d/odd").symlink_to("large")
    with pytest.raises(SystemFailure, match="the unpacked file 'd/odd' is gone"):
        join(tmp_path)
    (tmp_path / "split").write_bytes(b'{"raw": 7}\n')
    with pytest.raises(SystemFailure, match="what is kept of a layer's tar is damaged"):
        join(tmp_path)


def test_what_is_held_is_bounded(tmp_path: Path) -> None:
    """Also where each piece that is read ends inside of a file."""
    archive = layer(member(f"f{number}", NOISE[:600]) for number in range(500))
    file = io.BytesIO(archive)

    class Inside:
        def read(self, size: int) -> bytes:
            return file.read(1536 if file.tell() else 1000)

    tree = tmp_path / "tree"
    tree.mkdir()
    with closing(Splitter(Inside(), tmp_path / "split", tree, io.BytesIO)) as splitter:
        unpack(splitter, tree, splitter=splitter)
        drain(splitter)
    lines = gzip.decompress((tmp_path / "split").read_bytes()).splitlines()
    assert max(map(len, lines)) < 3 * CHUNK
    assert join(tmp_path) == archive
