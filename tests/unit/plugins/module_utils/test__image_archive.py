"""Images from a few files: the same input gives the same bytes."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile

import pytest

from ansible_collections.davit.fleet.plugins.module_utils import _image_archive


@pytest.fixture
def content() -> _image_archive.Content:
    return _image_archive.Content(
        files={"/usr/bin/tool": (b"#!/bin/false\n", 0o755)},
        links={"/usr/bin/alias": "tool"},
        directories=("/tmp", "/srv"),
    )


def read(data: bytes, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return archive.extractfile(name).read()


def test_equal_input_gives_equal_bytes(content):
    assert _image_archive.build("a:1", content, {}, "amd64") == _image_archive.build(
        "a:1", content, {}, "amd64"
    )


def test_manifest_config_and_layer_fit_together(content):
    data = _image_archive.build("a:1", content, {"Cmd": ["tool"]}, "amd64")
    (manifest,) = json.loads(read(data, "manifest.json"))
    config = read(data, manifest["Config"])
    assert manifest["RepoTags"] == ["a:1"]
    assert manifest["Config"] == f"{hashlib.sha256(config).hexdigest()}.json"
    layer = read(data, manifest["Layers"][0])
    parsed = json.loads(config)
    assert parsed["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    assert parsed["config"] == {"Cmd": ["tool"]}
    assert parsed["architecture"] == "amd64"


def test_the_layer_holds_parents_before_children(content):
    data = _image_archive.build("a:1", content, {}, "amd64")
    with tarfile.open(fileobj=io.BytesIO(read(data, "layer.tar"))) as layer:
        assert layer.getnames() == ["srv", "tmp", "usr", "usr/bin", "usr/bin/alias", "usr/bin/tool"]
        assert layer.getmember("usr/bin/tool").mode == 0o755
        assert layer.getmember("usr/bin/alias").linkname == "tool"
        assert layer.getmember("tmp").mode == 0o1777


def test_written_once(tmp_path):
    path = tmp_path / "image.tar"
    assert _image_archive.write(b"one", str(path)) is True
    assert _image_archive.write(b"one", str(path)) is False
    assert _image_archive.write(b"two", str(path)) is True
    assert path.read_bytes() == b"two"


def test_the_directories_that_lead_to_it_are_made(tmp_path):
    path = tmp_path / ".cache" / "davit" / "image.tar"
    assert _image_archive.write(b"one", str(path)) is True
    assert path.read_bytes() == b"one"
