# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Which image is in an archive: its ID and its layers, found without unpacking it.

Formats: ``docker save`` (Docker image specification 1.2) and OCI image layout 1.0 in a tar.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import tarfile
from dataclasses import dataclass
from typing import Any, Dict

from ansible_collections.davit.fleet.plugins.module_utils._errors import Invalid

_REF_NAME = "org.opencontainers.image.ref.name"
_IMAGE_NAME = "io.containerd.image.name"
# A manifest or configuration is small; what is larger is not read into memory.
_LARGEST = 8 << 20

Members = Dict[str, tarfile.TarInfo]


@dataclass(frozen=True)
class Layer:
    """diff_id: digest of the uncompressed layer; path: its file in the archive, links followed."""

    diff_id: str
    path: str


@dataclass(frozen=True)
class Identity:
    """One image of an archive.

    ids: under which IDs an engine may show it; tags: names that loading gives it; config: its
    configuration, byte by byte; layers: lowest first, none when the archive does not tell.
    """

    ids: list[str]
    tags: list[str]
    config: bytes
    layers: list[Layer]


def identify(path: str, name: str) -> Identity:
    """Return the identity of the image ``name`` in an archive. Raises Invalid.

    An archive with one image may call it differently; with several, one must have the name.
    """
    try:
        with tarfile.open(path) as archive:
            found = _images(archive, path)
    except (OSError, tarfile.TarError, ValueError, KeyError) as error:
        raise Invalid(f"archive: {path} is not an image archive: {error}") from None
    named = [identity for identity in found if normal(name) in map(normal, identity.tags)]
    if named:
        return named[0]
    if len(found) == 1:
        return found[0]
    tags = sorted(tag for identity in found for tag in identity.tags)
    raise Invalid(f"archive: {path} holds {len(found)} images, none called {name}: {tags}")


def normal(name: str) -> str:
    """Docker's short form with a tag: ``docker.io/library/web`` → ``web:latest``."""
    for prefix in ("docker.io/", "index.docker.io/", "library/"):
        if name.startswith(prefix):
            name = name[len(prefix) :]
    tagged = "@" in name or ":" in name.rpartition("/")[2]
    return name if tagged else f"{name}:latest"


def members(archive: tarfile.TarFile) -> Members:
    """The archive's entries by path."""
    return {posixpath.normpath(member.name): member for member in archive}


def _images(archive: tarfile.TarFile, path: str) -> list[Identity]:
    found = members(archive)
    if "manifest.json" in found:
        entries = json.loads(_read(archive, found, "manifest.json"))
        return [_saved(archive, found, entry) for entry in entries]
    if "index.json" not in found:
        raise ValueError(f"neither manifest.json nor index.json is in {path}")
    index = json.loads(_read(archive, found, "index.json"))
    return [_oci(archive, found, descriptor) for descriptor in index["manifests"]]


def _saved(archive: tarfile.TarFile, found: Members, entry: dict[str, Any]) -> Identity:
    config = _read(archive, found, entry["Config"])
    layers = _layers(found, config, entry.get("Layers") or [])
    return Identity([_digest(config)], entry["RepoTags"] or [], config, layers)


def _oci(archive: tarfile.TarFile, found: Members, descriptor: dict[str, Any]) -> Identity:
    notes = descriptor.get("annotations") or {}
    tags = [notes[key] for key in (_IMAGE_NAME, _REF_NAME) if key in notes]
    ids = []
    document: dict[str, Any] = {}
    while "config" not in document:
        ids.append(descriptor["digest"])
        document = json.loads(_read(archive, found, _blob(descriptor)))
        # An index in the index: one image for several platforms. The first is what is loaded.
        descriptor = (document.get("manifests") or [descriptor])[0]
    config = _read(archive, found, _blob(document["config"]))
    layers = _layers(found, config, [_blob(layer) for layer in document.get("layers") or []])
    return Identity([document["config"]["digest"], *ids], tags, config, layers)


def _layers(found: Members, config: bytes, paths: list[str]) -> list[Layer]:
    diff_ids = (json.loads(config).get("rootfs") or {}).get("diff_ids") or []
    targets = [_target(found, path) for path in paths]
    if len(diff_ids) != len(targets) or None in targets:
        return []
    return [
        Layer(diff_id, target) for diff_id, target in zip(diff_ids, targets) if target is not None
    ]


def _target(found: Members, path: str) -> str | None:
    """Follow links: ``docker save`` writes a layer that several images have once."""
    path = posixpath.normpath(path)
    for _step in range(len(found)):
        member = found.get(path)
        if member is None or member.isreg():
            break
        base = posixpath.dirname(path) if member.issym() else ""
        path = posixpath.normpath(posixpath.join(base, member.linkname))
    member = found.get(path)
    return path if member is not None and member.isreg() else None


def _blob(descriptor: dict[str, Any]) -> str:
    return "blobs/" + str(descriptor["digest"]).replace(":", "/")


def _read(archive: tarfile.TarFile, found: Members, name: str) -> bytes:
    member = found[posixpath.normpath(name)]
    file = archive.extractfile(member)
    if file is None or member.size > _LARGEST:
        raise ValueError(f"{name} is not a small file")
    return file.read()


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()
