"""Images: what a store keeps of them and the OCI image configuration that containers need.

Source: OCI image specification v1.1 (config.md, manifest.md), Docker image specification v1.2.
"""

from __future__ import annotations

from typing import Any

import msgspec

from davit.model import times
from davit.model.config import ContainerConfig
from davit.model.platform import Platform


class RootFS(msgspec.Struct, frozen=True, kw_only=True):
    type: str = "layers"
    diff_ids: list[str] = []


class History(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    created: str = ""
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


class ImageConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The image configuration blob; its digest is the image ID."""

    architecture: str = ""
    os: str = ""
    variant: str = ""
    created: str = ""
    author: str = ""
    comment: str = ""
    parent: str = ""
    docker_version: str = ""
    container: str = ""
    config: ContainerConfig = ContainerConfig()
    rootfs: RootFS = RootFS()
    history: list[History] = []


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """An image as stored.

    id: ``sha256:`` and the digest of the configuration blob. size: bytes of all unpacked layers.
    tags: ``repository:tag``; digests: ``repository@sha256:…``. loaded: ns since the epoch.
    parent: image ID this one was committed or built from, empty when it came from elsewhere.
    tagged: when it was last given a tag here, 0 for never.
    step: of an image that a build's step made: digest of all that the step depends on but for the
    parent; a later build with the same step takes this image.
    manifest: digest of the manifest that it came with, when its layers are here as that says.
    """

    id: str
    config: ImageConfig
    size: int
    loaded: int
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    parent: str = ""
    tagged: int = 0
    step: str = ""
    manifest: str = ""

    @property
    def created(self) -> int:
        """When it was made, ns since the epoch, 0 when it does not say."""
        return times.parse_rfc3339(self.config.created) if self.config.created else 0

    @property
    def labels(self) -> dict[str, str]:
        return self.config.config.labels

    @property
    def layers(self) -> list[str]:
        """Diff IDs, lowest first."""
        return self.config.rootfs.diff_ids


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """An unpacked layer.

    diff_id: digest of the uncompressed tar; blob: digest of the tar as it came (maybe compressed).
    size: bytes of the unpacked files; tar_size: of the uncompressed tar; blob_size: of the blob.
    """

    diff_id: str
    blob: str
    size: int
    tar_size: int
    blob_size: int


class CommitWish(msgspec.Struct, frozen=True, kw_only=True):
    """How a commit's image is to be.

    tag: ``repository:tag``, empty for none. changes: Dockerfile instructions on its configuration.
    """

    tag: str = ""
    comment: str = ""
    author: str = ""
    changes: list[str] = []


class CommitSource(msgspec.Struct, frozen=True, kw_only=True):
    """What of a container becomes an image.

    container: its ID. upper: the directory of its writable layer; image_id, layers: what is below.
    paths: what of the layer differs from below, ``/etc/passwd``. command: the container's, for
    the history.
    """

    container: str
    upper: str
    image_id: str
    layers: list[str]
    config: ContainerConfig
    paths: frozenset[str]
    command: str = ""


class StepWish(msgspec.Struct, frozen=True, kw_only=True):
    """What a step of a build makes.

    base: the image before it, None for none. key: as ``Image.step``. upper: directory with what
    the step adds to the layers, empty for nothing; paths: what of it differs from below.
    layer: instead of these, diff ID of a layer that the store has.
    platform: what an image without a base is for.
    """

    base: Image | None
    platform: Platform
    config: ContainerConfig
    created_by: str
    key: str
    author: str = ""
    container: str = ""
    upper: str = ""
    paths: frozenset[str] = frozenset()
    layer: str = ""


class Descriptor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """OCI content descriptor."""

    media_type: str = ""
    digest: str = ""
    size: int = 0
    urls: list[str] = []
    annotations: dict[str, str] = {}
    platform: dict[str, Any] = {}


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """What a registry has under a name. platforms: OCI's, as an index or a configuration says."""

    descriptor: Descriptor
    platforms: list[dict[str, Any]]


class Amount(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Bytes done, of how many."""

    current: int = 0
    total: int = 0


class Progress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the JSON stream that import, load, pull and push answer.

    detail: of what has a bar; empty for a status of the same thing without one. aux: a result.
    """

    status: str = ""
    stream: str = ""
    detail: Amount | None = msgspec.field(default=None, name="progressDetail")
    id: str = ""
    aux: dict[str, Any] | None = None


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """An image as a list shows it: only the tags and digests that the filters let through.

    shared_size: bytes of layers that other images have, too, -1 when not asked for.
    containers: how many were made from it, running or not.
    """

    image: Image
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    containers: int
    shared_size: int = -1


class Removed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="pascal"):
    """One thing that a removal did: a reference taken off, or an image or layer deleted."""

    untagged: str = ""
    deleted: str = ""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of an image's history. size: bytes that its layer adds."""

    history: History
    size: int
    id: str = ""
    tags: tuple[str, ...] = ()
