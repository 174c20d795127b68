"""Telling the service manager how far we are (sd_notify(3))."""

from __future__ import annotations

import contextlib
import socket


def notify(address: str, state: str) -> None:
    """Send ``READY=1``, ``STOPPING=1`` … to the socket named by ``NOTIFY_SOCKET``.

    A leading ``@`` means the abstract namespace. An empty address: nobody listens.
    """
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender,
    ):
        sender.sendto(state.encode(), address)
