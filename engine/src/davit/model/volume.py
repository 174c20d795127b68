"""Volumes, and mounts as a container has them."""

from __future__ import annotations

from typing import Any

import msgspec

from davit.model.config import BindOptions, Wire

# The label of volumes that nobody named.
ANONYMOUS = "com.docker.volume.anonymous"


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """A named volume. created: ns since the epoch."""

    name: str
    created: int
    driver: str = "local"
    labels: dict[str, str] = {}
    options: dict[str, str] = {}

    @property
    def anonymous(self) -> bool:
        """Whether it was named by davit, not by a user."""
        return ANONYMOUS in self.labels


class MountPoint(Wire, frozen=True):
    """A mount as ``inspect`` shows it: what ``Binds``, ``Mounts`` and the image came to.

    anonymous: whether the volume was asked for without a name.
    subpath: the part of the volume or image that is mounted, relative to it, empty for the whole.
    image_id, layers: of an image that is mounted: the container holds its diff IDs, lowest first.
    bind_options: what was asked for of a bind; ``propagation`` above is what came of it.
    """

    type: str = "bind"
    name: str = ""
    source: str = ""
    destination: str = ""
    driver: str = ""
    mode: str = ""
    rw: bool = msgspec.field(default=True, name="RW")
    propagation: str = ""
    anonymous: bool = False
    subpath: str = ""
    image_id: str = ""
    layers: list[str] = []
    bind_options: BindOptions = BindOptions()


class VolumeSpec(Wire, frozen=True):
    """The body of ``POST /volumes/create``."""

    name: str = ""
    driver: str = ""
    driver_opts: dict[str, str] = {}
    labels: dict[str, str] = {}
    cluster_volume_spec: dict[str, Any] | None = None


class VolumeUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What a volume takes. size: bytes on disk; users: containers that have it."""

    volume: Volume
    size: int
    users: int
