"""Reading a container's log: a selection of what is there, and what comes."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

from davit.drivers.logs import tail
from davit.drivers.logs.k8s_file import Parser
from davit.model import times
from davit.model.logs import LogChunk, LogSelection
from davit.sys.inotify import Watches

_BLOCK = 64 << 10
"""Bytes read at a time: what a reader holds in memory, together with a line of each stream."""


class LogReader:
    """Reads k8s-file logs. One for the process: followers share its inotify instance."""

    def __init__(self) -> None:
        self._watches = Watches()

    async def read(
        self, path: Path, selection: LogSelection, ended: asyncio.Event
    ) -> AsyncIterator[LogChunk]:
        """Yield the lines that are selected, oldest first; a missing log is empty.

        Following ends when ``ended`` (set: the container does not run) is set and all is read, or
        when ``selection.until`` has passed.
        """
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            parser = Parser()
            if selection.tail is not None:
                start = await asyncio.to_thread(tail.offset, descriptor, selection.tail)
                os.lseek(descriptor, start, os.SEEK_SET)
            with contextlib.ExitStack() as stack:
                grown = asyncio.Event()
                if selection.follow:
                    grown = stack.enter_context(self._watches.modified(path))
                while True:
                    # Looked at before reading: what was written before the end is read after it.
                    is_last = not selection.follow or ended.is_set()
                    grown.clear()
                    while block := await asyncio.to_thread(os.read, descriptor, _BLOCK):
                        for chunk in _selected(parser.feed(block), selection):
                            yield chunk
                    if is_last or _has_passed(selection.until):
                        break
                    await _first(grown, ended, _remaining(selection.until))
            for chunk in _selected(parser.flush(), selection):
                yield chunk
        finally:
            os.close(descriptor)


def _selected(chunks: Iterable[LogChunk], selection: LogSelection) -> Iterator[LogChunk]:
    for chunk in chunks:
        if (
            chunk.stream in selection.streams
            and (selection.since is None or chunk.time >= selection.since)
            and (selection.until is None or chunk.time <= selection.until)
        ):
            yield chunk


def _has_passed(until: int | None) -> bool:
    return until is not None and until < times.now()


def _remaining(until: int | None) -> float | None:
    """Seconds to go, None for ever."""
    return None if until is None else max(0.0, (until - times.now()) / 10**9)


async def _first(one: asyncio.Event, other: asyncio.Event, timeout: float | None) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in (one, other)]
    try:
        await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
