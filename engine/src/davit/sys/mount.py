"""mount(2) and umount2(2), called directly: a helper program would cost a fork each.

All of it blocks for as long as the kernel does, which for bind mounts, tmpfs and overlayfs is well
under a millisecond.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from pathlib import Path

MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC = 1, 0x20, 0x1000, 0x4000
MS_SYNCHRONOUS, MS_DIRSYNC = 0x10, 0x80
MS_NOATIME, MS_NODIRATIME, MS_RELATIME, MS_STRICTATIME = 0x400, 0x800, 1 << 21, 1 << 24
MS_PRIVATE, MS_SLAVE, MS_SHARED = 1 << 18, 1 << 19, 1 << 20
MNT_DETACH = 2
OVERLAYFS_SUPER_MAGIC = 0x794C7630

_libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: Path, kind: str, *, flags: int = 0, data: str = "") -> None:
    """Mount a file system. data: its own options, a page (4095 bytes) at the most."""
    result = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        kind.encode(),
        ctypes.c_ulong(flags),
        os.fsencode(data) or None,
    )
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(target))


def unmount(target: Path) -> None:
    """Unmount; a busy one goes when its last user does. Idempotent."""
    path = os.fsencode(target)
    if _libc.umount2(path, 0) == 0:
        return
    if ctypes.get_errno() == errno.EBUSY and _libc.umount2(path, MNT_DETACH) == 0:
        return
    number = ctypes.get_errno()
    if number not in (errno.EINVAL, errno.ENOENT):  # not a mount point, or nothing there
        raise OSError(number, os.strerror(number), str(target))


def filesystem(path: Path) -> int:
    """Return the magic number of the file system that holds ``path`` (statfs(2))."""
    buffer = ctypes.create_string_buffer(256)
    if _libc.statfs(os.fsencode(path), buffer) == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))
    return int.from_bytes(buffer.raw[:4], sys.byteorder)  # f_type; the magics have 32 bits
