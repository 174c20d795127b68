"""What listens on loopback here, let through to the loopback of another network namespace.

Engines take a registry on loopback for one that may speak plain HTTP, and on no other address.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import socketserver
import threading
from collections.abc import Iterator

from pyroute2 import netns

_BLOCK = 1 << 16


@contextlib.contextmanager
def door(address: str, namespace: str) -> Iterator[None]:
    """address: ``127.0.0.1:PORT``, the same on both sides. namespace: by its name."""
    host, _colon, port = address.rpartition(":")
    target = (host, int(port))

    class Passage(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(target) as inside:
                _pass_on(self.request, inside)

    server = socketserver.ThreadingTCPServer(target, Passage, bind_and_activate=False)
    server.daemon_threads = True
    server.socket.close()
    server.socket = _listen(target, namespace)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _listen(target: tuple[str, int], namespace: str) -> socket.socket:
    """A socket stays in the namespace that it was made in; only this thread goes there."""
    made: list[socket.socket] = []

    def make() -> None:
        netns.setns(namespace)
        made.append(socket.create_server(target))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with selectors.DefaultSelector() as ready:
        ready.register(one, selectors.EVENT_READ, other)
        ready.register(other, selectors.EVENT_READ, one)
        while True:
            for key, _events in ready.select():
                data = key.fileobj.recv(_BLOCK)
                if not data:
                    return
                key.data.sendall(data)
