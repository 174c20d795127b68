"""Sockets that the service manager has opened for us (sd_listen_fds(3))."""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping

from davit.errors import InvalidParameter

_FIRST = 3


def take_sockets(environment: MutableMapping[str, str]) -> list[tuple[str, socket.socket]]:
    """Return names and sockets in the order of their numbers, which begin with 3.

    The variables are removed, so that no child takes them for its own. A socket without a name in
    the unit is called after the unit, or ``unknown``. Raises InvalidParameter when there is none.
    """
    pid = environment.pop("LISTEN_PID", "")
    count = environment.pop("LISTEN_FDS", "")
    names = environment.pop("LISTEN_FDNAMES", "").split(":")
    if pid != str(os.getpid()) or not count.isdigit():
        return []
    sockets = []
    for index in range(int(count)):
        try:
            taken = socket.socket(fileno=_FIRST + index)
        except OSError as error:
            raise InvalidParameter(
                f"LISTEN_FDS={count}: descriptor {_FIRST + index} is no socket: {error.strerror}"
            ) from None
        taken.set_inheritable(False)
        taken.setblocking(False)
        name = names[index] if index < len(names) and names[index] else "unknown"
        sockets.append((name, taken))
    return sockets
