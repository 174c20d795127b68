"""Pure: ``Binds``, ``Mounts``, ``Volumes``, ``Tmpfs`` and ``VolumesFrom`` become one list.

Source: Engine API, ``HostConfig`` and ``Mount``; the words of refusals are those that clients know.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from davit.errors import InvalidParameter
from davit.model.config import BindOptions, ContainerConfig, HostConfig, Mount, VolumeOptions
from davit.model.container import Container
from davit.model.volume import MountPoint

_PROPAGATION = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
# What a bind's mode may say. Consistency is about virtual machines; a label is about SELinux.
_NO_EFFECT = ("consistent", "cached", "delegated", "z", "Z")


@dataclass(frozen=True)
class MountWish:
    """One mount that is asked for. point: how it will be shown; its source may still be missing.

    copy: fill a new volume from the image.
    """

    point: MountPoint
    copy: bool = True
    driver: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)

    @property
    def destination(self) -> str:
        return self.point.destination


def plan(
    config: ContainerConfig,
    host: HostConfig,
    find: Callable[[str], Container],
    *,
    deep_read_only: bool = True,
) -> list[MountWish]:
    """Return every mount of a container, by destination.

    Explicit mounts shadow those of ``VolumesFrom``, and both shadow the anonymous volumes that the
    configuration declares. find: container by reference. deep_read_only: whether read-only binds
    make what is mounted below them read-only, too, unless they say. Raises InvalidParameter,
    NotSupported.
    """
    explicit = [_bind(text, host.volume_driver) for text in host.binds]
    explicit += [_mount(mount) for mount in host.mounts]
    if not deep_read_only:
        explicit = [_shallow(wish) for wish in explicit]
    taken: set[str] = set()
    for destination in [*(wish.destination for wish in explicit), *map(_tmpfs, host.tmpfs)]:
        if destination in taken:
            raise InvalidParameter(f"Duplicate mount point: {destination}")
        taken.add(destination)

    wishes = {wish.destination: wish for wish in explicit}
    for wish in _volumes_from(host.volumes_from, find):
        if wish.destination not in taken:
            wishes.setdefault(wish.destination, wish)
    for path in config.volumes:
        destination = _destination(path, "volume")
        if destination not in taken and destination not in wishes:
            wishes[destination] = _volume("", destination, driver=host.volume_driver)
    return [wishes[destination] for destination in sorted(wishes)]


def _bind(text: str, volume_driver: str) -> MountWish:
    """``source:destination[:mode]``, or ``destination`` alone for an anonymous volume."""
    parts = text.split(":")
    if len(parts) > 3 or not all(parts):
        raise InvalidParameter(
            f"invalid volume specification: '{text}': use SOURCE:DESTINATION[:MODE]"
        )
    if len(parts) == 1:
        return _volume("", _destination(text, "volume"), driver=volume_driver)
    source, mode = parts[0], parts[2] if len(parts) == 3 else ""
    flags, propagation = _mode(mode, text)
    writable = "ro" not in flags
    if not source.startswith("/"):
        destination = _destination(parts[1], "volume")
        return _volume(
            source,
            destination,
            writable=writable,
            copy="nocopy" not in flags,
            driver=volume_driver,
            mode=mode or "z",
        )
    if "nocopy" in flags:
        raise InvalidParameter(f"invalid mode: {mode}: 'nocopy' is for volumes, in '{text}'")
    point = MountPoint(
        type="bind",
        source=posixpath.normpath(source),
        destination=_destination(parts[1], "bind"),
        mode=mode,
        rw=writable,
        propagation=propagation or "rprivate",
        bind_options=BindOptions(propagation=propagation, create_mountpoint=True),
    )
    return MountWish(point)


def _mode(mode: str, text: str) -> tuple[set[str], str]:
    """Return a bind's flags and its propagation."""
    flags: set[str] = set()
    propagation = ""
    for word in filter(None, mode.split(",")):
        if word in _PROPAGATION and not propagation:
            propagation = word
        elif word in ("ro", "rw", "nocopy") or word in _NO_EFFECT:
            flags.add(word)
        else:
            raise InvalidParameter(f"invalid mode: {mode} in volume specification '{text}'")
    if {"ro", "rw"} <= flags:
        raise InvalidParameter(f"invalid mode: {mode} in volume specification '{text}'")
    return flags, propagation


def _mount(mount: Mount) -> MountWish:
    """An entry of ``HostConfig.Mounts``."""
    kind = mount.type
    if kind not in ("bind", "volume", "tmpfs", "image"):
        raise _invalid(kind, "mount type unknown")
    if not mount.target:
        raise _invalid(kind, "field Target must not be empty")
    destination = _destination(mount.target, kind)
    for name, options, owner in (
        ("BindOptions", mount.bind_options, "bind"),
        ("VolumeOptions", mount.volume_options, "volume"),
        ("TmpfsOptions", mount.tmpfs_options, "tmpfs"),
        ("ImageOptions", mount.image_options, "image"),
    ):
        if options is not None and owner != kind:
            raise _invalid(kind, f"field {name} must not be specified")
    if kind == "tmpfs":
        if mount.source:
            raise _invalid(kind, "field Source must not be specified")
        return MountWish(
            MountPoint(type="tmpfs", destination=destination, rw=not mount.read_only), copy=False
        )
    if kind == "bind":
        return _bind_mount(mount, destination)
    if kind == "image":
        return _image(mount, destination)
    options = mount.volume_options or VolumeOptions()
    if options.subpath:
        _check_subpath(mount, options.subpath)
    return _volume(
        mount.source,
        destination,
        writable=not mount.read_only,
        copy=not options.no_copy and not options.subpath,
        driver=options.driver_config.name,
        options=options.driver_config.options,
        labels=options.labels,
        mode="z",
        subpath=options.subpath,
    )


def _image(mount: Mount, destination: str) -> MountWish:
    if not mount.source:
        raise _invalid("image", "field Source must not be empty")
    subpath = mount.image_options.subpath if mount.image_options else ""
    _check_subpath(mount, subpath)
    point = MountPoint(
        type="image", name=mount.source, destination=destination, rw=False, subpath=subpath
    )
    return MountWish(point, copy=False)


def _check_subpath(mount: Mount, subpath: str) -> None:
    depth = 0
    for part in subpath.split("/"):
        depth += {"": 0, ".": 0, "..": -1}.get(part, 1)
        if depth < 0 or subpath.startswith("/") or "\0" in subpath:
            raise _invalid(mount.type, "subpath must be a relative path within the volume")
    if not mount.source:
        raise _invalid("volume", "must not set Subpath when using anonymous volumes")


def _bind_mount(mount: Mount, destination: str) -> MountWish:
    if not mount.source:
        raise _invalid("bind", "field Source must not be empty")
    if not mount.source.startswith("/"):
        raise _invalid("bind", f"invalid mount path: '{mount.source}' mount path must be absolute")
    options = mount.bind_options or BindOptions()
    if options.propagation and options.propagation not in _PROPAGATION:
        raise _invalid("bind", f"invalid propagation mode: {options.propagation}")
    _check_recursion(mount, options)
    return MountWish(
        MountPoint(
            type="bind",
            source=posixpath.normpath(mount.source),
            destination=destination,
            rw=not mount.read_only,
            propagation=options.propagation or "rprivate",
            bind_options=options,
        )
    )


def _shallow(wish: MountWish) -> MountWish:
    point = wish.point
    if point.type != "bind" or point.rw:
        return wish
    options = replace(point.bind_options, read_only_non_recursive=True)
    return MountWish(replace(point, bind_options=options), copy=wish.copy)


def _check_recursion(mount: Mount, options: BindOptions) -> None:
    """What of a read-only bind's submounts can be asked for together."""
    for name, value in (
        ("ReadOnlyNonRecursive", options.read_only_non_recursive),
        ("ReadOnlyForceRecursive", options.read_only_force_recursive),
    ):
        if value and not mount.read_only:
            raise _invalid("bind", f"{name} needs ReadOnly")
    if options.read_only_force_recursive:
        if options.read_only_non_recursive:
            raise _invalid("bind", "ReadOnlyForceRecursive and ReadOnlyNonRecursive conflict")
        if options.propagation not in ("", "rprivate"):
            raise _invalid("bind", "ReadOnlyForceRecursive needs the propagation rprivate")


def _volume(
    name: str,
    destination: str,
    *,
    writable: bool = True,
    copy: bool = True,
    driver: str = "",
    mode: str = "",
    options: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    subpath: str = "",
) -> MountWish:
    return MountWish(
        MountPoint(
            type="volume",
            name=name,
            destination=destination,
            mode=mode,
            rw=writable,
            anonymous=not name,
            subpath=subpath,
        ),
        copy=copy,
        driver=driver,
        options=options or {},
        labels=labels or {},
    )


def _volumes_from(
    references: Sequence[str], find: Callable[[str], Container]
) -> Iterable[MountWish]:
    for reference in references:
        name, _, mode = reference.partition(":")
        if mode not in ("", "ro", "rw", "z", "Z"):
            raise InvalidParameter(f"invalid mode: {mode} in volumes-from '{reference}'")
        for point in find(name).mounts:
            if point.type == "tmpfs":
                continue
            shown = replace(point, mode=mode or point.mode, rw=point.rw and mode != "ro")
            yield MountWish(shown, copy=False)


def _tmpfs(path: str) -> str:
    return _destination(path, "tmpfs")


def _destination(path: str, kind: str) -> str:
    if not path.startswith("/"):
        raise _invalid(kind, f"invalid mount path: '{path}' mount path must be absolute")
    clean = posixpath.normpath(path)
    if clean in ("/", "//"):
        raise _invalid(kind, "invalid specification: destination can't be '/'")
    return clean


def _invalid(kind: str, why: str) -> InvalidParameter:
    return InvalidParameter(f'invalid mount config for type "{kind}": {why}')
