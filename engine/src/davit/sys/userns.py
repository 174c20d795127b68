"""User namespaces: subordinate IDs, a pinned namespace, mounts that show its IDs.

Sources: user_namespaces(7), subuid(5), mount_setattr(2) (idmapped mounts).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import struct
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from davit.errors import InvalidParameter, SystemFailure
from davit.model.idmap import IdMap, IdRange
from davit.sys import mount, netns

# The same on all architectures (include/uapi/asm-generic/unistd.h).
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_AT_FDCWD, _AT_EMPTY_PATH = -100, 0x1000
_OPEN_TREE_CLONE = 1
_MOVE_MOUNT_F_EMPTY_PATH = 4
_MOUNT_ATTR_IDMAP = 0x100000
# linux/capability.h
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def subordinate(name: str, number: int, file: Path) -> list[IdRange]:
    """Return the IDs that ``/etc/subuid`` or ``/etc/subgid`` gives a user, as a map from 0 on.

    Raises InvalidParameter when it gives none.
    """
    ranges: list[IdRange] = []
    inside = 0
    for line in file.read_text().splitlines() if file.exists() else ():
        owner, _, rest = line.strip().partition(":")
        start, _, count = rest.partition(":")
        if owner in (name, str(number)) and start.isdecimal() and count.isdecimal():
            ranges.append(IdRange(inside, int(start), int(count)))
            inside += int(count)
    if not ranges:
        raise InvalidParameter(
            f"userns-remap: {file} gives {name} no IDs: add a line such as {name}:100000:65536"
        )
    return ranges


def pin(path: Path, ids: IdMap) -> None:
    """Make a user namespace and keep it at ``path``; one that is there with this map stays.

    Blocking. Raises SystemFailure.
    """
    if netns.is_pinned(path):
        if _maps(path) == [_text(ids.uids), _text(ids.gids)]:
            return
        netns.unpin(path)
    with _waiting(["unshare", "--user"]) as child:
        for kind, ranges in (("uid", ids.uids), ("gid", ids.gids)):
            Path(f"/proc/{child}/{kind}_map").write_text(_text(ranges))
        namespace = os.open(f"/proc/{child}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        try:
            netns.pin(namespace, path)
        finally:
            os.close(namespace)


def create_netns(owner: Path) -> int:
    """Return a descriptor of a fresh network namespace that the user namespace owns. Blocking.

    Only its owner's root may mount sysfs of it. A thread cannot enter a user namespace, so it takes
    a child.
    """
    with _waiting(["nsenter", f"--user={owner}", "unshare", "--net"]) as child:
        return os.open(f"/proc/{child}/ns/net", os.O_RDONLY | os.O_CLOEXEC)


@contextlib.contextmanager
def idmapped(sources: Sequence[Path], userns: Path | None, scratch: Path) -> Iterator[list[Path]]:
    """Bind directories and files so that IDs on disk are those inside the namespace. Blocking.

    userns: None leaves the IDs as they are.

    Yields their paths, short ones below ``scratch``, which are there for as long as the body runs;
    what is mounted from them meanwhile stays. Raises SystemFailure.
    """
    base = scratch / secrets.token_hex(3)
    made: list[Path] = []
    namespace = os.open(userns, os.O_RDONLY | os.O_CLOEXEC) if userns else None
    try:
        base.mkdir(parents=True, mode=0o711)
        for number, source in enumerate(sources):
            target = base / str(number)
            target.mkdir() if source.is_dir() else target.touch()
            made.append(target)
            _bind(source, target, namespace)
        yield list(made)
    finally:
        if namespace is not None:
            os.close(namespace)
        for target in made:
            _drop(target)
        base.rmdir()


def sweep(scratch: Path) -> None:
    """Remove what :func:`idmapped` left when it was killed. Blocking."""
    for target in scratch.glob("*/*"):
        _drop(target)
    for base in scratch.glob("*"):
        base.rmdir()


@contextlib.contextmanager
def filesystem_ids(uid: int, gid: int) -> Iterator[None]:
    """Let this thread make files as another user, with all its capabilities. Blocking.

    The kernel makes files with the IDs of who mounted an overlay, which an idmapped upper layer
    must know. See setfsuid(2), capabilities(7).
    """
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    buffer = ctypes.create_string_buffer(24)
    _check(_libc.capget(header, buffer), "read capabilities")
    before = buffer.raw
    # Twice effective, permitted, inheritable: the low and the high half of each.
    _, low, low_inherited, _, high, high_inherited = struct.unpack("=6I", before)
    try:
        _libc.setfsgid(gid)
        _libc.setfsuid(uid)
        # Leaving root took the file system's capabilities away; they are still permitted.
        everything = struct.pack("=6I", low, low, low_inherited, high, high, high_inherited)
        _check(_libc.capset(header, everything), "keep capabilities")
        yield
    finally:
        _libc.setfsuid(0)
        _libc.setfsgid(0)
        _check(_libc.capset(header, before), "restore capabilities")


def _drop(target: Path) -> None:
    mount.unmount(target)
    if target.is_dir():
        target.rmdir()  # never what is below: it would be a layer or a volume
    else:
        target.unlink()


def _bind(source: Path, target: Path, namespace: int | None) -> None:
    try:
        tree = _call(_OPEN_TREE, _AT_FDCWD, os.fsencode(source), _OPEN_TREE_CLONE | os.O_CLOEXEC)
        try:
            if namespace is not None:
                attributes = struct.pack("=4Q", _MOUNT_ATTR_IDMAP, 0, 0, namespace)
                _call(_MOUNT_SETATTR, tree, b"", _AT_EMPTY_PATH, attributes, len(attributes))
            _call(_MOVE_MOUNT, tree, b"", _AT_FDCWD, os.fsencode(target), _MOVE_MOUNT_F_EMPTY_PATH)
        finally:
            os.close(tree)
    except OSError as error:
        raise SystemFailure(
            f"cannot map the owners of {source} into a user namespace: {error.strerror}: its file "
            "system or this kernel lacks idmapped mounts; run the container with --userns=host"
        ) from None


def _call(number: int, *args: object) -> int:
    result: int = _libc.syscall(number, *args)
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def _check(result: int, what: str) -> None:
    if result == -1:
        raise SystemFailure(f"cannot {what}: {os.strerror(ctypes.get_errno())}")


@contextlib.contextmanager
def _waiting(command: list[str]) -> Iterator[int]:
    """Run a child in new namespaces for as long as the body runs; yields its process ID."""
    with subprocess.Popen(
        [*command, "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdin.write(b"\n")
        child.stdin.flush()
        if not child.stdout.readline():  # what it says shows that it is there
            reason = child.stderr.read().decode(errors="replace").strip()
            raise SystemFailure(f"cannot make a namespace: {reason}")
        yield child.pid
        child.stdin.close()


def _maps(namespace: Path) -> list[str]:
    shown = subprocess.run(
        ["nsenter", f"--user={namespace}", "cat", "/proc/self/uid_map", "/proc/self/gid_map"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    half = len(lines) // 2
    return ["\n".join(lines[:half]), "\n".join(lines[half:])]


def _text(ranges: Sequence[IdRange]) -> str:
    return "\n".join(f"{entry.inside} {entry.outside} {entry.size}" for entry in ranges)
