"""Reading a container's log: a selection of what is there, and what comes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Container
from pathlib import Path

from davit.drivers.logs import tail
from davit.drivers.logs.k8s_file import Parser
from davit.drivers.logs.trail import close
from davit.model import times
from davit.model.logs import LogBlock, LogSelection
from davit.model.runtime import STDERR, STDOUT
from davit.sys.inotify import Watches, first_of
from davit.sys.threads import finish

_BOTH = frozenset({STDOUT, STDERR})


class LogReader:
    """Reads k8s-file logs. One for the process: followers share its inotify instance."""

    def __init__(self) -> None:
        self._watches = Watches()

    async def read(
        self, path: Path, selection: LogSelection, ended: asyncio.Event
    ) -> AsyncIterator[LogBlock]:
        """Yield the lines that are selected, oldest first; a missing log is empty.

        Following ends when ``ended`` (set: the container does not run) is set and all is read, or
        when ``selection.until`` has passed.
        """
        trail = await finish(
            lambda: tail.open_at(path, selection.tail, follows=selection.follow), close
        )
        if trail is None:
            return
        parser, chosen = Parser(), _choice(selection)
        try:
            while True:
                with contextlib.ExitStack() as stack:
                    grown = asyncio.Event()
                    if selection.follow:
                        grown = stack.enter_context(self._watches.changed(trail.link))
                    while True:
                        # Both looked at before reading: what was written until then is read now.
                        is_last = not selection.follow or ended.is_set()
                        grown.clear()
                        is_old = await finish(trail.is_old)
                        while data := await finish(trail.read):
                            block = parser.feed(data)
                            if (lines := chosen(block)).texts:
                                yield lines
                            if _is_after(block, selection.until):
                                return
                        if is_old or is_last or _has_passed(selection.until):
                            break
                        await first_of(grown, ended, timeout=_remaining(selection.until))
                if not is_old or not await finish(trail.advance):
                    break
            if (lines := chosen(parser.flush())).texts:
                yield lines
        finally:
            trail.close()


def _choice(selection: LogSelection) -> Callable[[LogBlock], LogBlock]:
    """Return what picks the wanted lines out of a block."""
    wanted, since, until = selection.streams, selection.since, selection.until
    if wanted >= _BOTH and since is None and until is None:
        return lambda block: block
    if since is None and until is None:

        def choose_stream(block: LogBlock) -> LogBlock:
            return (
                block
                if wanted.issuperset(block.streams)
                else _pick(block, wanted, set(block.stamps))
            )

        return choose_stream
    first = -1 if since is None else since
    last = 1 << 63 if until is None else until

    def choose(block: LogBlock) -> LogBlock:
        # conmon gives one time to all that it reads at once: there are few.
        within = {stamp for stamp in set(block.stamps) if first <= times.parse_stamp(stamp) <= last}
        return _pick(block, wanted, within)

    return choose


def _pick(block: LogBlock, streams: Container[int], stamps: Container[bytes]) -> LogBlock:
    lines = [line for line in zip(*block, strict=True) if line[0] in streams and line[1] in stamps]
    if not lines:
        return LogBlock([], [], [])
    return LogBlock(*map(list, zip(*lines, strict=True)))


def _is_after(block: LogBlock, until: int | None) -> bool:
    return until is not None and bool(block.stamps) and times.parse_stamp(block.stamps[-1]) > until


def _has_passed(until: int | None) -> bool:
    return until is not None and until < times.now()


def _remaining(until: int | None) -> float | None:
    """Seconds to go, None for ever."""
    return None if until is None else max(0.0, (until - times.now()) / 10**9)
