"""Archives made to break something: no file outside, no memory without bound, no full disk."""

from __future__ import annotations

import contextlib
import io
import lzma
import os
import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davit.drivers.tar import unpack as unpacking
from davit.drivers.tar.compression import decompressed
from davit.drivers.tar.unpack import unpack
from davit.errors import InvalidParameter
from tests.engine.imagekit import directory, hard_link, layer, member, symlink

Member = tuple[tarfile.TarInfo, bytes]

# Few names, so that members meet each other; among them every way out.
_NAMES = (
    *("a", "b", "a/b", "b/a", "a/b/a", "./a", "a//b", "a/", ".", ""),
    *("..", "../victim", "a/../b", "a/../../victim", "/victim", "//victim"),
    *(".wh.a", "a/.wh.b", ".wh...", ".wh..", ".wh.", ".wh..wh..opq", "a/.wh..wh..opq"),
    *(".wh..wh..opq/a", ".wh.a/b", "../.wh.victim", "../.wh..wh..opq", ".wh..wh.plnk/a"),
    *("a\nb", "\udcff\udcfe", "a\\b", "x" * 255, "x" * 256, "/".join(["y" * 200] * 30)),
)
_TARGETS = (*_NAMES[:16], "../..", "/", "a/../..", "/..", "../root/a", "/proc/self/root")
_names, _targets = st.sampled_from(_NAMES), st.sampled_from(_TARGETS)
_members: st.SearchStrategy[Member] = st.one_of(
    st.builds(lambda name, mode: member(name, b"x", mode=mode), _names, st.integers(0, 0o7777)),
    st.builds(directory, _names, st.integers(0o700, 0o7777)),
    st.builds(symlink, _names, _targets),
    st.builds(hard_link, _names, _targets),
    st.builds(
        lambda name, kind, minor: member(name, kind=kind, devmajor=1, devminor=minor),
        _names,
        st.sampled_from([tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.CONTTYPE]),
        st.integers(0, 7),
    ),
    st.builds(
        lambda name, key, value: member(name, b"x", pax_headers={key: value}),
        _names,
        st.sampled_from(
            ["path", "linkpath", "GNU.sparse.name", "SCHILY.xattr.trusted.overlay.opaque"]
        ),
        _targets.filter(bool),
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_members, max_size=8))
def test_no_combination_gets_out(members: list[Member]) -> None:
    with tempfile.TemporaryDirectory() as place:
        root, victim = Path(place, "root"), Path(place, "victim")
        root.mkdir()
        victim.write_bytes(b"untouched")
        victim.chmod(0o600)
        before = _state(place)
        with contextlib.suppress(InvalidParameter):
            unpack(io.BytesIO(layer(members)), root)
        root.chmod(0o700)
        assert _state(place) == before
        assert victim.read_bytes() == b"untouched"


def _state(place: str) -> list[tuple[str, int, int, int, list[str]]]:
    """What is beside the root, and the directory that holds both."""
    found = []
    for name in (".", *sorted(os.listdir(place))):
        if name != "root":
            path = os.path.join(place, name)
            there = os.lstat(path)
            found.append((name, there.st_mode, there.st_nlink, there.st_uid, os.listxattr(path)))
    return found


ODD = {
    "a file becomes a link and is written": (
        [member("f", b"1"), symlink("f", "../victim"), member("f", b"2")],
        {"f": "2"},
    ),
    "a link's second name is written": (
        [symlink("s", "../victim"), hard_link("h", "s"), member("h", b"2")],
        {"h": "2", "s": None},
    ),
    "names with newlines and other bytes": (
        [member("a\nb", b"1"), member("\udcff", b"2"), member("tab\t\x1b[0m", b"3")],
        {"a\nb": "1", "\udcff": "2", "tab\t\x1b[0m": "3"},
    ),
    "whiteouts of nothing": (
        [member(name) for name in (".wh.", ".wh..", ".wh...", ".wh..wh.orph")],
        {},
    ),
    "an opaque mark that is something else": (
        [directory(".wh..wh..opq"), symlink("d/.wh..wh..opq", ".."), hard_link(".wh.x", "no")],
        {"d": None, "x": None},
    ),
    "a whiteout with contents": ([member(".wh.a", b"1" * 5000), member("b", b"2")], {"b": "2"}),
    "the root as something else": ([symlink(".", ".."), member("./", b"1"), member("", b"1")], {}),
}


@pytest.mark.parametrize(("members", "wanted"), ODD.values(), ids=ODD.keys())
def test_odd_members(tmp_path: Path, members: list[Member], wanted: dict[str, str | None]) -> None:
    """wanted: contents by name; None for what has none."""
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "victim").write_bytes(b"untouched")
    unpack(io.BytesIO(layer(members)), root)
    assert (tmp_path / "victim").read_bytes() == b"untouched"
    assert sorted(os.listdir(tmp_path)) == ["root", "victim"]
    assert set(os.listdir(root)) >= {name for name, text in wanted.items() if text is not None}
    for name, text in wanted.items():
        if text is not None:
            assert (root / name).read_text() == text


def test_a_whiteouts_name_has_no_slash(tmp_path: Path) -> None:
    """What looks like one is a directory of this name, as Docker takes it."""
    unpack(io.BytesIO(layer([member("a", b"1"), member(".wh.a/b", b"2")])), tmp_path)
    assert (tmp_path / "a").read_bytes() == b"1"
    assert (tmp_path / ".wh.a/b").read_bytes() == b"2"


TOO_LONG = {
    "a name": [member("d/" * 2100 + "f", b"1")],
    "a name of megabytes": [member("d/" * 2_000_000 + "f", b"1")],
    "a link's target": [symlink("l", "x/" * 2100)],
    "a hard link's target": [hard_link("l", "x/" * 2100)],
    "a component": [member("x" * 256, b"1")],
}


@pytest.mark.parametrize("members", TOO_LONG.values(), ids=TOO_LONG.keys())
def test_what_is_too_long(deep: Path, members: list[Member]) -> None:
    with pytest.raises(InvalidParameter) as caught:
        unpack(io.BytesIO(layer(members)), deep)
    assert len(caught.value.message) < 1000


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """A root that may become deeper than Python can delete."""
    root = tmp_path / "root"
    root.mkdir()
    yield root
    subprocess.run(["rm", "-rf", str(root)], check=True)


def test_deep_paths(deep: Path) -> None:
    unpack(io.BytesIO(layer([member("d/" * 1000 + "f", b"1")])), deep)
    assert (deep / ("d/" * 1000) / "f").read_bytes() == b"1"


def test_links_do_not_lead_deeper_than_any_path(deep: Path) -> None:
    """Each level takes a descriptor while a path is walked."""
    target = "d/" * 2040
    below = [directory("l/" + "e/" * depth) for depth in range(1, 20)]
    with pytest.raises(InvalidParameter, match="levels deep"):
        unpack(io.BytesIO(layer([directory(target), symlink("l", target), *below])), deep)


@pytest.mark.parametrize("kind", [tarfile.XGLTYPE, tarfile.XHDTYPE])
def test_extended_headers_without_end(tmp_path: Path, kind: bytes) -> None:
    class Endless:
        """Headers of a megabyte each, all with another key."""

        def __init__(self) -> None:
            self.sent = 0
            self._rest = b""

        def read(self, size: int) -> bytes:
            if not self._rest:
                key = f"k{self.sent}={'v' * 1_000_000}\n"
                text = f"{len(key) + 8} {key}".encode()
                header, _ = member("x", kind=kind)
                header.size = len(text)
                self._rest = header.tobuf(tarfile.GNU_FORMAT) + text + bytes(-len(text) % 512)
                self.sent += 1
            piece, self._rest = self._rest[:size], self._rest[size:]
            return piece

    source = Endless()
    with pytest.raises(InvalidParameter, match="endless extended headers"):
        unpack(source, tmp_path)
    assert source.sent < 12


def test_an_xz_header_does_not_take_what_memory_it_wants() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}]
    packed = lzma.compress(b"x", filters=filters)
    with pytest.raises(InvalidParameter, match="xz data needs a window of more than 128 MiB"):
        decompressed(io.BytesIO(packed)).read(10)


def test_times_of_many_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only some are remembered, and yet all are right in an archive in order."""
    monkeypatch.setattr(unpacking, "_TIMES_AT_MOST", 5)
    members: list[Member] = []
    wanted: dict[str, int] = {}

    def grow(name: str, depth: int) -> None:
        wanted[name] = 1_000_000 + len(wanted)
        members.append(directory(name, mtime=wanted[name]))
        for child in "abc" if depth else "":
            grow(f"{name}/{child}", depth - 1)
        members.append(member(f"{name}/z", b"1"))

    grow("top", 3)
    unpack(io.BytesIO(layer(members)), tmp_path)
    assert {name: int((tmp_path / name).stat().st_mtime) for name in wanted} == wanted


PAX_LIES: dict[str, Callable[[], bytes]] = {
    "size": lambda: layer([member("f", b"1", pax_headers={"size": str(10**17)})]),
    "2^63": lambda: layer([member("f", b"1", pax_headers={"size": str(2**63)})]),
    "digits": lambda: layer([member("f", b"1", pax_headers={"size": "9" * 5000})]),
    "sparse size": lambda: layer(
        [
            member(
                "f",
                b"1",
                pax_headers={
                    "GNU.sparse.map": "0,1",
                    "GNU.sparse.size": str(2**62),
                    "GNU.sparse.name": "f",
                },
            )
        ]
    ),
    "sparse name": lambda: layer(
        [
            member(
                "f",
                b"1",
                pax_headers={
                    "GNU.sparse.map": "0,1",
                    "GNU.sparse.size": "1",
                    "GNU.sparse.name": "../f",
                },
            )
        ]
    ),
    "time": lambda: layer([member("f", b"1", pax_headers={"mtime": "9" * 30})]),
    "capability": lambda: layer(
        [member("f", b"1", pax_headers={"SCHILY.xattr.security.capability": "x"})]
    ),
}


@pytest.mark.parametrize("make", PAX_LIES.values(), ids=PAX_LIES.keys())
def test_headers_that_lie(tmp_path: Path, make: Callable[[], bytes]) -> None:
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(InvalidParameter):
        unpack(io.BytesIO(make()), root)
    assert os.listdir(tmp_path) == ["root"]


def test_a_device_in_a_layer_is_a_device_only_there(tmp_path: Path) -> None:
    """One that is replaced by a file is not written to."""
    null = member("null", kind=tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666)
    unpack(io.BytesIO(layer([null, member("null", b"not swallowed")])), tmp_path)
    assert stat.S_ISREG((tmp_path / "null").lstat().st_mode)
    assert (tmp_path / "null").read_bytes() == b"not swallowed"
