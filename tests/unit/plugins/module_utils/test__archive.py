# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.davit.fleet.plugins.module_utils._archive import identify, normal
from ansible_collections.davit.fleet.plugins.module_utils._errors import Invalid


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def encode(value: Any) -> bytes:
    return json.dumps(value).encode()


def pack(path: Path, files: dict[str, bytes], mode: str = "w") -> str:
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return str(path)


def saved(*images: tuple[bytes, list[str] | None]) -> dict[str, bytes]:
    files = {f"{number}.json": config for number, (config, _tags) in enumerate(images)}
    entries = [
        {"Config": f"{number}.json", "RepoTags": tags, "Layers": []}
        for number, (_config, tags) in enumerate(images)
    ]
    return {**files, "manifest.json": encode(entries)}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_docker_save(tmp_path: Path, mode: str) -> None:
    path = pack(tmp_path / "a.tar", saved((b"{}", ["shop:1"])), mode)
    found = identify(path, "shop:1")
    assert (found.ids, found.tags) == ([digest(b"{}")], ["shop:1"])


def test_the_only_image_may_have_another_name_or_none(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar", saved((b"{}", None)))
    assert identify(path, "shop:1").ids == [digest(b"{}")]


def test_of_several_the_named_one(tmp_path: Path) -> None:
    path = pack(
        tmp_path / "a.tar", saved((b"{}", ["shop:1"]), (b"{ }", ["docker.io/library/shop:2"]))
    )
    assert identify(path, "shop:2").ids == [digest(b"{ }")]
    with pytest.raises(Invalid, match=r"holds 2 images, none called shop:3: .*'shop:1'"):
        identify(path, "shop:3")


def oci(*, nested: bool) -> tuple[dict[str, bytes], list[str]]:
    config = encode({"os": "linux"})
    manifest = encode({"config": {"digest": digest(config)}, "layers": []})
    blobs = [config, manifest]
    top, ids = manifest, [digest(config), digest(manifest)]
    if nested:
        top = encode({"manifests": [{"digest": digest(manifest)}]})
        blobs.append(top)
        ids = [digest(config), digest(top), digest(manifest)]
    note = {"org.opencontainers.image.ref.name": "shop:1"}
    files = {f"blobs/{digest(blob).replace(':', '/')}": blob for blob in blobs}
    index = {"manifests": [{"digest": digest(top), "annotations": note}]}
    return {**files, "index.json": encode(index)}, ids


@pytest.mark.parametrize("nested", [False, True])
def test_oci_layout(tmp_path: Path, nested: bool) -> None:
    files, ids = oci(nested=nested)
    found = identify(pack(tmp_path / "a.tar", files), "shop:1")
    assert (found.ids, found.tags) == (ids, ["shop:1"])


@pytest.mark.parametrize(
    "files", [{}, {"manifest.json": b"{"}, {"manifest.json": b'[{"Config": "gone.json"}]'}]
)
def test_what_is_no_image_is_refused(tmp_path: Path, files: dict[str, bytes]) -> None:
    with pytest.raises(Invalid, match=r"a\.tar is not an image archive"):
        identify(pack(tmp_path / "a.tar", files), "shop:1")


def test_neither_is_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="No such file"):
        identify(str(tmp_path / "a.tar"), "shop:1")


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("shop", "shop:latest"),
        ("shop:1", "shop:1"),
        ("docker.io/library/shop", "shop:latest"),
        ("docker.io/team/shop:1", "team/shop:1"),
        ("host:5000/shop", "host:5000/shop:latest"),
        ("shop@sha256:00", "shop@sha256:00"),
    ],
)
def test_normal(name: str, short: str) -> None:
    assert normal(name) == short
