# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Which image is in an archive: its ID, found without unpacking it.

Formats: ``docker save`` (Docker image specification 1.2) and OCI image layout 1.0 in a tar.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from dataclasses import dataclass
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._errors import Invalid

_REF_NAME = "org.opencontainers.image.ref.name"
_IMAGE_NAME = "io.containerd.image.name"
# A manifest or configuration is small; what is larger is not read into memory.
_LARGEST = 8 << 20


@dataclass(frozen=True)
class Identity:
    """ids: under which IDs an engine may show the image; tags: names that loading gives it."""

    ids: list[str]
    tags: list[str]


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


def _images(archive: tarfile.TarFile, path: str) -> list[Identity]:
    members = {member.name.lstrip("./"): member for member in archive}
    if "manifest.json" in members:
        entries = json.loads(_read(archive, members, "manifest.json"))
        return [
            Identity([_digest(_read(archive, members, entry["Config"]))], entry["RepoTags"] or [])
            for entry in entries
        ]
    if "index.json" not in members:
        raise ValueError(f"neither manifest.json nor index.json is in {path}")
    index = json.loads(_read(archive, members, "index.json"))
    return [_oci(archive, members, descriptor) for descriptor in index["manifests"]]


def _oci(
    archive: tarfile.TarFile, members: dict[str, tarfile.TarInfo], descriptor: dict[str, Any]
) -> Identity:
    notes = descriptor.get("annotations") or {}
    tags = [notes[key] for key in (_IMAGE_NAME, _REF_NAME) if key in notes]
    ids = []
    document: dict[str, Any] = {}
    while "config" not in document:
        ids.append(descriptor["digest"])
        document = json.loads(_read(archive, members, _blob(descriptor)))
        # An index in the index: one image for several platforms. The first is what is loaded.
        descriptor = (document.get("manifests") or [descriptor])[0]
    return Identity([document["config"]["digest"], *ids], tags)


def _blob(descriptor: dict[str, Any]) -> str:
    return "blobs/" + str(descriptor["digest"]).replace(":", "/")


def _read(archive: tarfile.TarFile, members: dict[str, tarfile.TarInfo], name: str) -> bytes:
    member = members[name]
    file = archive.extractfile(member)
    if file is None or member.size > _LARGEST:
        raise ValueError(f"{name} is not a small file")
    return file.read()


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()
