"""Directories of a client: ``moby.filesync.v1.FileSync/DiffCopy``.

The client describes every file in order (``STAT``, at last an empty one); the engine asks for the
contents by number (``REQ``), which come in parts (``DATA``), an empty one being the last; ``FIN``
is the engine's word that it has all, and the client's that it has heard it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote_plus

from grpclib.client import Channel, Stream, StreamStreamMethod

from davit._pb.buildkit_pb2 import Packet
from davit.drivers.buildkit.channel import asking
from davit.drivers.buildkit.tree import Tree
from davit.errors import InvalidParameter
from davit.sys.tasks import in_thread

# Bytes of packets that go to a thread at once.
_BATCH = 1 << 20
_OVERHEAD = 128


async def receive(
    channel: Channel,
    name: str,
    root: Path,
    *,
    includes: Sequence[str] = (),
    excludes: Sequence[str] = (),
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Copy the client's directory of this name to ``root``, a new one.

    includes, excludes: patterns as ``.dockerignore`` has them; without includes it is everything.
    progress: called with the bytes so far. Raises InvalidParameter, Unavailable.
    """
    metadata = [("dir-name", name)]
    metadata += _patterns("include-patterns", includes)
    metadata += _patterns("exclude-patterns", excludes)
    method = StreamStreamMethod(channel, "/moby.filesync.v1.FileSync/DiffCopy", Packet, Packet)
    await asyncio.to_thread(root.mkdir, parents=True)
    tree = Tree(root)
    try:
        with asking(f"cannot read the client's directory {name!r}"):
            async with method.open(metadata=metadata) as stream:
                await stream.send_request()
                await _receive(stream, tree, progress)
        await in_thread(tree.finish)
    finally:
        await in_thread(tree.close)


async def _receive(
    stream: Stream[Packet, Packet], tree: Tree, progress: Callable[[int], None]
) -> None:
    # Who only asks, or only reads, would wait for the other side's window for ever.
    wanted: asyncio.Queue[int | None] = asyncio.Queue()
    asker = asyncio.ensure_future(_ask(stream, wanted))
    try:
        await _take(stream, tree, wanted, progress)
        wanted.put_nowait(None)
        await asker
        await stream.end()
        while await stream.recv_message() is not None:
            pass
    finally:
        asker.cancel()
        await asyncio.wait([asker])


async def _ask(stream: Stream[Packet, Packet], wanted: asyncio.Queue[int | None]) -> None:
    while (number := await wanted.get()) is not None:
        await stream.send_message(Packet(type=Packet.REQ, id=number))
    await stream.send_message(Packet(type=Packet.FIN))


async def _take(
    stream: Stream[Packet, Packet],
    tree: Tree,
    wanted: asyncio.Queue[int | None],
    progress: Callable[[int], None],
) -> None:
    """Return when all that is to come has come and is written."""
    batch: list[tuple[int | None, Packet]] = []
    described, missing, size, total = False, 0, 0, 0
    while not described or missing:
        packet = await stream.recv_message()
        if packet is None or packet.type not in (Packet.STAT, Packet.DATA):
            said = "it has ended early"
            if packet is not None:
                said = packet.data.decode(errors="replace") or "it breaks the protocol"
            raise InvalidParameter(f"the client's files have not all come: {said}")
        number = None
        if packet.type == Packet.STAT:
            if not packet.HasField("stat"):
                described = True
                continue
            number = tree.announce(packet.stat)
            if number is not None:
                missing += 1
                wanted.put_nowait(number)
        elif not packet.data:
            missing -= 1
        batch.append((number, packet))
        size += len(packet.data) + _OVERHEAD
        total += len(packet.data)
        if size >= _BATCH:
            await in_thread(tree.apply, batch)
            progress(total)
            batch, size = [], 0
    await in_thread(tree.apply, batch)
    progress(total)


def _patterns(key: str, patterns: Sequence[str]) -> list[tuple[str, str]]:
    """Headers are ASCII: with anything else in one, all of them are encoded, which is said."""
    if all(pattern.isascii() for pattern in patterns):
        return [(key, pattern) for pattern in patterns]
    return [(key, quote_plus(pattern)) for pattern in patterns] + [(f"{key}-encoded", "1")]
