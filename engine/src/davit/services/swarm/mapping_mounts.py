"""Pure: the mounts of a task's specification as the container's request has them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from davit._pb import swarmkit_pb2 as pb
from davit.errors import InvalidParameter, NotSupported
from davit.model.config import (
    BindOptions,
    Mount,
    TmpfsOptions,
    VolumeDriverConfig,
    VolumeOptions,
)

_KINDS = {pb.Mount.BIND: "bind", pb.Mount.VOLUME: "volume", pb.Mount.TMPFS: "tmpfs"}
_PROPAGATIONS = {
    pb.Mount.BindOptions.RPRIVATE: "rprivate",
    pb.Mount.BindOptions.PRIVATE: "private",
    pb.Mount.BindOptions.RSHARED: "rshared",
    pb.Mount.BindOptions.SHARED: "shared",
    pb.Mount.BindOptions.RSLAVE: "rslave",
    pb.Mount.BindOptions.SLAVE: "slave",
}


def mounts(asked: Iterable[pb.Mount]) -> list[Mount]:
    """Raises NotSupported, InvalidParameter. Volumes are made with the container."""
    return [_mount(mount) for mount in asked]


def _mount(mount: pb.Mount) -> Mount:
    kind = _KINDS.get(mount.type)
    if kind is None:
        what = {pb.Mount.CLUSTER: "cluster (CSI)", pb.Mount.NPIPE: "npipe"}.get(mount.type, "new")
        raise NotSupported(f"mount {mount.target}: davit has no mounts of the type {what}")
    return Mount(
        type=kind,
        source=mount.source,
        target=mount.target,
        read_only=mount.readonly,
        bind_options=_bind(mount.bind_options) if mount.HasField("bind_options") else None,
        volume_options=_volume(mount) if mount.HasField("volume_options") else None,
        tmpfs_options=_tmpfs(mount) if mount.HasField("tmpfs_options") else None,
    )


def _bind(options: pb.Mount.BindOptions) -> BindOptions:
    return BindOptions(
        propagation=_PROPAGATIONS.get(options.propagation, ""),
        non_recursive=options.nonrecursive,
        create_mountpoint=options.createmountpoint,
        read_only_non_recursive=options.readonlynonrecursive,
        read_only_force_recursive=options.readonlyforcerecursive,
    )


def _volume(mount: pb.Mount) -> VolumeOptions:
    options = mount.volume_options
    driver = options.driver_config
    return VolumeOptions(
        no_copy=options.nocopy,
        labels=dict(options.labels),
        driver_config=VolumeDriverConfig(name=driver.name, options=dict(driver.options)),
        subpath=options.subpath,
    )


def _tmpfs(mount: pb.Mount) -> TmpfsOptions:
    """Its further options are JSON in a text, ``[["exec"],["uid","5"]]``."""
    options = mount.tmpfs_options
    try:
        more = msgspec.json.decode(options.options or "[]", type=list[list[str]])
    except msgspec.DecodeError:
        raise InvalidParameter(
            f"mount {mount.target}: invalid tmpfs options {options.options!r}: a JSON list of "
            "lists of words is needed"
        ) from None
    return TmpfsOptions(size_bytes=options.size_bytes, mode=options.mode, options=more)
