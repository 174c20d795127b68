# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Write an image of one layer as an archive that ``docker load`` and davit take.

The archive's bytes depend on what is put in only, so the image's ID does not change from run to
run. Layout: Docker's image specification 1.2 (manifest.json, a config and a layer).
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

# Images whose bytes never change have no time of birth to tell.
CREATED = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class Content:
    """What the layer holds. Paths inside the image are absolute.

    files: path → (content, mode); links: path → target; directories: paths.
    """

    files: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    directories: tuple[str, ...] = ()


def build(name: str, content: Content, config: dict[str, Any], architecture: str) -> bytes:
    """Return the archive.

    name: reference with a tag; config: the image configuration's ``config`` object, with the API's
    names (``Cmd``, ``Env``, ``ExposedPorts``, …); architecture: Go's name of it (``amd64``).
    """
    layer = _layer(content)
    document = {
        "architecture": architecture,
        "config": config,
        "created": CREATED,
        "history": [{"created": CREATED, "created_by": "davit.fleet.image_archive"}],
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    encoded = _json(document)
    identity = hashlib.sha256(encoded).hexdigest()
    manifest = [{"Config": f"{identity}.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    parts = {
        "manifest.json": _json(manifest),
        f"{identity}.json": encoded,
        "layer.tar": layer,
    }
    return _tar((_entry(path, tarfile.REGTYPE, 0o644, data), data) for path, data in parts.items())


def _layer(content: Content) -> bytes:
    paths = [*content.files, *content.links, *content.directories]
    parents = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    entries = {path: (_entry(path, tarfile.DIRTYPE, 0o755), b"") for path in parents - {"/"}}
    for path in content.directories:
        # World-writable and sticky, as /tmp: nobody knows yet which user the container runs as.
        mode = 0o1777 if path in ("/tmp", "/var/tmp") else 0o755
        entries[path] = (_entry(path, tarfile.DIRTYPE, mode), b"")
    for path, (data, mode) in content.files.items():
        entries[path] = (_entry(path, tarfile.REGTYPE, mode, data), data)
    for path, target in content.links.items():
        link = _entry(path, tarfile.SYMTYPE, 0o777)
        link.linkname = target
        entries[path] = (link, b"")
    return _tar(entry for _path, entry in sorted(entries.items()))


def _entry(path: str, kind: bytes, mode: int, data: bytes = b"") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.type = kind
    entry.mode = mode
    entry.size = len(data)
    return entry


def _tar(entries: Any) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for entry, data in entries:
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def _json(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def write(data: bytes, destination: str) -> bool:
    """Put data in place by a rename, unless it is there; return whether it was written.

    The directories that lead to it are made.
    """
    path = Path(destination)
    if path.is_file() and path.read_bytes() == data:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_bytes(data)
    partial.rename(path)
    return True
