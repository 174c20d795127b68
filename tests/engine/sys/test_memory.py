"""What keeps davitd small."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import subprocess
import sys
from asyncio import selector_events
from pathlib import Path

import aiohttp
import pytest

from davit.model.stream import PIECE
from davit.sys import memory
from tests.engine.tlskit import Authority


@pytest.mark.parametrize("given", [True, False])
def test_contexts_without_certificates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: bool
) -> None:
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    if given:
        monkeypatch.setenv("SSL_CERT_FILE", str(Authority(tmp_path).file))
    else:
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    before = dict(os.environ)
    with memory.lean_imports():
        assert ssl.create_default_context().cert_store_stats()["x509"] == 0
    assert dict(os.environ) == before
    if given:
        assert ssl.create_default_context().cert_store_stats()["x509"] == 1


def test_the_client_half_of_aiohttp_comes_when_it_is_asked_for() -> None:
    script = """
import sys
from davit.sys import memory
with memory.lean_imports():
    from aiohttp import web
assert "aiohttp.client" not in sys.modules
import aiohttp
print(aiohttp.ClientSession.__module__, aiohttp.__version__)
from aiohttp import connector
print(connector._SSL_CONTEXT_VERIFIED.cert_store_stats()["x509"])
assert not hasattr(aiohttp, "NoSuchName")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.split() == ["aiohttp.client", aiohttp.__version__, "0"], done.stderr


async def test_what_is_read_from_a_socket_fits_into_used_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        selector_events._SelectorTransport,
        "max_size",
        256 << 10,
    )
    memory.tune_sockets()
    sizes: list[int] = []
    ended = asyncio.Event()

    class Sizes(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            sizes.append(len(data))

        def eof_received(self) -> None:
            ended.set()

    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        sent = theirs.send(bytes(1 << 20))
        transport, _ = await asyncio.get_running_loop().connect_accepted_socket(Sizes, ours)
        theirs.shutdown(socket.SHUT_WR)
        await asyncio.wait_for(ended.wait(), 20)
        transport.close()
    assert max(sizes) == PIECE < sent
