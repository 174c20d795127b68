"""A manager that holds nodes' certificates against what it believes, and tells why it refuses one.

With sockets that block: asyncio's servers hang up without the alert that tells it.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

from davit.drivers.swarmkit import pki

_PATIENCE = 5.0


@contextlib.contextmanager
def refusing(
    own: pki.Credentials,
    believed: bytes,
    directory: Path,
    address: str = "127.0.0.1:0",
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
) -> Iterator[str]:
    """Listen, and return the address. Nobody is served, and who shows no certificate may look.

    own: the manager's certificate. believed: PEM; roots with the dates of another time make it a
    manager whose clock differs.
    """
    chain, key = directory / "refuser-chain", directory / "refuser-key"
    chain.write_bytes(own.chain)
    key.write_bytes(own.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    context.maximum_version = version
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=believed.decode())
    host, _, port = address.rpartition(":")
    with socket.create_server((host, int(port))) as listener:
        thread = threading.Thread(target=_serve, args=(listener, context))
        thread.start()
        try:
            yield f"{host}:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:  # shut down
            return
        connection.settimeout(_PATIENCE)
        with (
            connection,
            contextlib.suppress(OSError),
            context.wrap_socket(connection, server_side=True) as looking,
        ):
            while looking.recv(1):
                pass
