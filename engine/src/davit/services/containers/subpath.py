"""A mount of a part of a volume or image (``Subpath`` of ``VolumeOptions``, ``ImageOptions``)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from davit.errors import InvalidParameter
from davit.model.volume import MountPoint
from davit.sys import inside


@contextlib.contextmanager
def opened(point: MountPoint) -> Iterator[Path]:
    """Yield a path of what the mount shows; it stays that file while the body runs. Blocking.

    The kernel resolves links within the volume, so none leads out, whoever changes them meanwhile.
    Raises InvalidParameter when there is no such path.
    """
    if not point.subpath:
        yield Path(point.source)
        return
    with contextlib.ExitStack() as closing:
        try:
            volume = os.open(point.source, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            closing.callback(os.close, volume)
            found = inside.open_inside(volume, point.subpath, os.O_PATH)
            closing.callback(os.close, found)
        except OSError as error:
            # Docker's words, the system's in lower case as they have it.
            reason = (error.strerror or str(error)).lower()
            raise InvalidParameter(
                f"cannot access path {os.path.join(point.source, point.subpath)}: {reason}: "
                f"the {point.type} {point.name} has no {point.subpath}"
            ) from None
        yield Path(f"/proc/self/fd/{found}")
