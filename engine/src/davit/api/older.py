"""Requests of older API versions, as they were meant. Source: the Engine API's version history.

What a version did not have is ignored, as it was then; but not where somebody would take it for
granted.
"""

from __future__ import annotations

from msgspec.structs import replace

from davit.errors import InvalidParameter
from davit.model.config import Mount
from davit.model.container import CreateRequest


def create_request(request: CreateRequest, version: tuple[int, int]) -> CreateRequest:
    """The body of ``POST /containers/create``. Raises InvalidParameter."""
    host = request.host_config
    mounts = [_mount(mount, version) for mount in host.mounts]
    return replace(request, host_config=replace(host, mounts=mounts))


def _mount(mount: Mount, version: tuple[int, int]) -> Mount:
    bind, volume = mount.bind_options, mount.volume_options
    for name, wanted, since in (
        (
            "BindOptions.ReadOnlyForceRecursive",
            bind is not None and bind.read_only_force_recursive,
            (1, 44),
        ),
        ("VolumeOptions.Subpath", volume is not None and volume.subpath, (1, 45)),
        ('Mount type "Image"', mount.type == "image", (1, 48)),
    ):
        if wanted and version < since:
            raise InvalidParameter(f"{name} needs API v{since[0]}.{since[1]} or newer")
    if bind is not None and version < (1, 42):
        bind = replace(bind, create_mountpoint=False)
    if bind is not None and version < (1, 40):
        bind = replace(bind, non_recursive=False)
    mount = replace(mount, bind_options=bind)
    if version < (1, 42):
        # Options of another type were no error.
        mount = replace(
            mount,
            volume_options=volume if mount.type == "volume" else None,
            tmpfs_options=mount.tmpfs_options if mount.type == "tmpfs" else None,
        )
    return mount
