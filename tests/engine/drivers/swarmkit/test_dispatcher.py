"""Calls to a manager that is there and does not answer."""

from __future__ import annotations

import socket
import ssl

import pytest
from grpclib.client import Channel

from davit._pb import swarmkit_pb2 as pb
from davit.drivers.swarmkit import dispatcher
from davit.drivers.swarmkit.dispatcher import Dispatcher
from davit.errors import Unavailable


async def test_a_manager_that_never_shakes_hands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its kernel takes the connection, and the process behind it is starting or frozen."""
    monkeypatch.setattr(dispatcher, "_CALL_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        host, port = frozen.getsockname()
        channel = Channel(host, port, ssl=ssl.create_default_context())
        calls = Dispatcher(channel, f"{host}:{port}")
        try:
            with pytest.raises(Unavailable, match=f"{host}:{port} does not answer"):
                async with calls.session(pb.NodeDescription(), ""):
                    pass
        finally:
            channel.close()
