"""Images for tests, made of busybox-static: the same bytes every time.

A layer is given as tar bytes (``layer``); an image as such layers with a configuration; an archive
as ``docker_archive`` (docker save) or ``oci_archive`` (OCI layout).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

BUSYBOX = Path("/bin/busybox")
CREATED = "2024-01-01T00:00:00Z"
_MTIME = 1704067200
# Read here, so that tests can make images inside an event loop whose blocking calls are errors.
_BINARY = BUSYBOX.read_bytes()
_APPLETS = subprocess.run(
    [BUSYBOX, "--list"], check=True, capture_output=True, text=True
).stdout.split()
_OCI = "application/vnd.oci.image."

MANIFEST = _OCI + "manifest.v1+json"
INDEX = _OCI + "index.v1+json"


def member(
    name: str, data: bytes | None = None, kind: bytes = tarfile.REGTYPE, **fields: Any
) -> tuple[tarfile.TarInfo, bytes]:
    """A member of a tar; fields: attributes of ``tarfile.TarInfo``."""
    info = tarfile.TarInfo(name)
    info.type = kind
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    info.mtime = _MTIME
    info.size = len(data or b"")
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data or b""


def directory(name: str, mode: int = 0o755, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, None, tarfile.DIRTYPE, mode=mode, **fields)


def symlink(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, None, tarfile.SYMTYPE, linkname=target, mode=0o777)


def hard_link(name: str, target: str, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    """fields: attributes; those of the file itself, as tar writes them."""
    return member(name, None, tarfile.LNKTYPE, linkname=target, **fields)


def layer(
    members: Iterable[tuple[tarfile.TarInfo, bytes]], kind: int = tarfile.PAX_FORMAT
) -> bytes:
    """A tar of these members."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def files(contents: Mapping[str, bytes | str]) -> bytes:
    """A layer of plain files."""
    return layer(
        member(name, data.encode() if isinstance(data, str) else data)
        for name, data in contents.items()
    )


@cache
def busybox_rootfs() -> bytes:
    """A root file system as a tar: busybox with a symbolic link for each applet, users, /tmp."""
    members = [directory("./")]
    members += [directory(name) for name in ("bin", "dev", "etc", "proc", "root", "sys", "var")]
    members += [directory("tmp", 0o1777), member("bin/busybox", _BINARY, mode=0o755)]
    members += [symlink(f"bin/{name}", "busybox") for name in _APPLETS if name != "busybox"]
    members += [
        member(
            "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"
        ),
        member("etc/group", b"root:x:0:\nnogroup:x:65534:\n"),
    ]
    return layer(members)


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def compress(data: bytes) -> bytes:
    """gzip without a time in it."""
    return gzip.compress(data, compresslevel=1, mtime=0)


@dataclass(frozen=True)
class Built:
    """An image to be put into an archive. layers: uncompressed tars, lowest first."""

    layers: Sequence[bytes]
    tags: Sequence[str] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    platform: Mapping[str, str] = field(
        default_factory=lambda: {"os": "linux", "architecture": host_architecture()}
    )

    @property
    def body(self) -> bytes:
        """The configuration blob."""
        return json.dumps(
            {
                **self.platform,
                "created": CREATED,
                "config": dict(self.config),
                "rootfs": {"type": "layers", "diff_ids": [digest(data) for data in self.layers]},
                "history": [
                    {"created": CREATED, "created_by": f"layer {number}"}
                    for number, _ in enumerate(self.layers)
                ],
            }
        ).encode()

    @property
    def id(self) -> str:
        return digest(self.body)


def busybox(*tags: str, extra: Sequence[bytes] = (), **config: Any) -> Built:
    """An image of busybox, with further layers; config: fields of its configuration."""
    return Built(
        layers=[busybox_rootfs(), *extra],
        tags=tags or ("busybox:latest",),
        config={"Cmd": ["sh"], "Env": ["PATH=/bin"], **config},
    )


def docker_archive(*images: Built, compressed: bool = False) -> bytes:
    """The archive that ``docker save`` makes (format 1.2, manifest last)."""
    members: dict[str, bytes] = {}
    manifest = []
    for image in images:
        names = []
        for data in image.layers:
            name = f"{hashlib.sha256(data).hexdigest()}/layer.tar"
            members[name] = compress(data) if compressed else data
            names.append(name)
        config = f"{image.id.removeprefix('sha256:')}.json"
        members[config] = image.body
        manifest.append({"Config": config, "RepoTags": list(image.tags) or None, "Layers": names})
    members["manifest.json"] = json.dumps(manifest).encode()
    return layer(member(name, data) for name, data in members.items())


def oci_archive(
    *images: Built, compressed: bool = True, nested: bool = False, strip: Sequence[str] = ()
) -> bytes:
    """An OCI layout in a tar. nested: all images as platforms of one index, named as the first.

    strip: digests of blobs to leave out.
    """
    blobs: dict[str, bytes] = {}
    descriptors = []

    def put(kind: str, data: bytes) -> dict[str, Any]:
        blobs[digest(data)] = data
        return {"mediaType": kind, "digest": digest(data), "size": len(data)}

    for image in images:
        suffix, pack = ("+gzip", compress) if compressed else ("", bytes)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": put(_OCI + "config.v1+json", image.body),
            "layers": [put(f"{_OCI}layer.v1.tar{suffix}", pack(data)) for data in image.layers],
        }
        descriptor = put(MANIFEST, json.dumps(manifest).encode())
        if nested:
            descriptors.append({**descriptor, "platform": dict(image.platform)})
        else:
            descriptors += [
                {**descriptor, "annotations": {"io.containerd.image.name": tag}}
                for tag in image.tags or [""]
            ]
    if nested:
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": descriptors}
        names = {"io.containerd.image.name": images[0].tags[0]}
        descriptors = [{**put(INDEX, json.dumps(index).encode()), "annotations": names}]
    members = [member("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')]
    members += [
        member(f"blobs/sha256/{name.removeprefix('sha256:')}", data)
        for name, data in blobs.items()
        if name not in strip
    ]
    top = {"schemaVersion": 2, "mediaType": INDEX, "manifests": descriptors}
    return layer([*members, member("index.json", json.dumps(top).encode())])


def host_architecture() -> str:
    """This machine's, in the words of images."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)


async def chunks(data: bytes, size: int = 65536) -> AsyncIterator[bytes]:
    """Bytes as they come over a connection."""
    for start in range(0, len(data), size):
        yield data[start : start + size]
