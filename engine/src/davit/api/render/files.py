"""A container's files as the API shows them."""

from __future__ import annotations

import base64
import stat

from davit.model import codec, times
from davit.model.files import PathStat

STAT_HEADER = "X-Docker-Container-Path-Stat"
# The bits of Go's ``os.FileMode`` above the permissions.
_KINDS = {
    stat.S_IFDIR: 1 << 31,
    stat.S_IFLNK: 1 << 27,
    stat.S_IFBLK: 1 << 26,
    stat.S_IFIFO: 1 << 25,
    stat.S_IFSOCK: 1 << 24,
    stat.S_IFCHR: 1 << 26 | 1 << 21,
}
_SPECIAL = {stat.S_ISUID: 1 << 23, stat.S_ISGID: 1 << 22, stat.S_ISVTX: 1 << 20}


def path_stat(found: PathStat) -> str:
    """The value of :data:`STAT_HEADER`: JSON in base64."""
    mode = found.mode & 0o777 | _KINDS.get(stat.S_IFMT(found.mode), 0)
    mode |= sum(bit for special, bit in _SPECIAL.items() if found.mode & special)
    shown = {
        "name": found.name,
        "size": found.size,
        "mode": mode,
        "mtime": times.rfc3339(found.mtime),
        "linkTarget": found.link_target,
    }
    return base64.b64encode(codec.encode(shown)).decode()
