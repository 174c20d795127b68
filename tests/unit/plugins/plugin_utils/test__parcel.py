"""What goes to a host of an archive: nothing that it has, the same bytes each time, in parts."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from ansible_collections.davit.fleet.plugins.module_utils._archive import identify
from ansible_collections.davit.fleet.plugins.plugin_utils._parcel import Parcel, parts
from tests.engine.imagekit import Built, docker_archive, files, oci_archive

BASE, TOP = files({"a": "1" * 3000}), files({"b": "2"})
IMAGE = Built(layers=[BASE, TOP], tags=["docker.io/library/shop:1"])
OTHER = Built(layers=[BASE], tags=["shop:2"], config={"Cmd": ["x"]})


@pytest.fixture(params=["docker", "oci"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "shop.tar"
    if request.param == "docker":
        path.write_bytes(docker_archive(IMAGE, OTHER))
    else:
        path.write_bytes(oci_archive(IMAGE, OTHER, compressed=False))
    return path


def parcel(path: Path, *wanted: bytes) -> Parcel:
    identity = identify(str(path), "shop:1")
    layers = [
        layer.diff_id
        for layer, data in zip(identity.layers, IMAGE.layers, strict=True)
        if data in wanted
    ]
    return Parcel(str(path), identity, frozenset(layers))


def unpack(stream: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(stream)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


@pytest.mark.parametrize("wanted", [(), (TOP,), (BASE, TOP)])
def test_only_what_is_wanted_is_in_it(archive: Path, wanted: tuple[bytes, ...]) -> None:
    sent = parcel(archive, *wanted)
    found = unpack(b"".join(sent.read()))
    (entry,) = json.loads(found.pop("manifest.json"))
    assert found.pop(entry["Config"]) == IMAGE.body
    assert len(entry["Layers"]) == 2
    assert [found[path] for path in entry["Layers"] if path in found] == list(wanted)
    assert sent.layers == len(found) == len(wanted)


def test_all_of_an_archive(archive: Path) -> None:
    sent = Parcel(str(archive), identify(str(archive), "shop:1"), None)
    assert b"".join(sent.read()) == archive.read_bytes()
    assert sent.layers == 2


def test_its_key_tells_what_is_in_it(archive: Path) -> None:
    keys = {parcel(archive, *wanted).key for wanted in ((), (TOP,), (BASE, TOP))}
    keys.add(Parcel(str(archive), identify(str(archive), "shop:1"), None).key)
    assert len(keys) == 4
    assert parcel(archive, TOP).key in keys
    archive.write_bytes(archive.read_bytes() + bytes(512))
    assert parcel(archive, TOP).key not in keys


@pytest.mark.parametrize("sizes", [[], [1], [4], [5], [3, 1, 9], [8, 8]])
def test_parts(sizes: list[int]) -> None:
    whole = bytes(range(sum(sizes)))
    rest = io.BytesIO(whole)
    cut = [b"".join(part) for part in parts(iter([rest.read(size) for size in sizes]), 4)]
    assert b"".join(cut) == whole
    assert all(len(part) == 4 for part in cut[:-1])
    assert all(cut)
