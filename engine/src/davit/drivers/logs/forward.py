"""Sending a container's log on to a log server, from the file that conmon writes.

How far the log was sent stands in a file beside it, written after each sending: whoever goes on
after a crash sends the last lines twice rather than not at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections import deque
from pathlib import Path
from typing import Protocol

import msgspec

from davit.drivers.logs import segments
from davit.drivers.logs.k8s_file import Parser
from davit.drivers.logs.trail import Part, Trail, backwards, close, closing_on_error
from davit.model import times
from davit.model.logs import LogBlock, LogRecord
from davit.sys.inotify import Watches, first_of
from davit.sys.threads import finish

logger = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_TRIES_AFTER_END = 5


class Sender(Protocol):
    """A connection to a log server, made when it is needed."""

    async def send(self, records: list[LogRecord]) -> None:
        """Send lines. Raises OSError; the lines are then sent again."""
        ...

    async def close(self) -> None: ...


class Position(msgspec.Struct, frozen=True):
    """What was sent: all files before, and so many bytes of this one. number: 0 for none."""

    number: int
    inode: int
    offset: int


class Forwarder:
    """Sends logs on. One for the process: all share its inotify instance."""

    def __init__(self) -> None:
        self._watches = Watches()

    async def forward(self, log: Path, sender: Sender, ended: asyncio.Event) -> None:
        """Send what is new, until the container has ended and all is sent."""
        trail = await finish(lambda: _open(log), close)
        if trail is None:
            return
        parser = Parser()
        try:
            is_complete = False
            while not is_complete:
                with self._watches.changed(trail.link) as grown:
                    while True:
                        is_last = ended.is_set()
                        grown.clear()
                        is_old = await finish(trail.is_old)
                        while data := await finish(trail.read):
                            if not await _send(sender, parser.feed(data), ended):
                                return
                            if parser.is_clean:
                                await finish(lambda: _save(log, trail.part))
                        if is_old or is_last:
                            break
                        await first_of(grown, ended)
                is_complete = not is_old or not await finish(trail.advance)
            if await _send(sender, parser.flush(), ended):
                await finish(lambda: _save(log, trail.part))
        finally:
            await sender.close()
            trail.close()


async def _send(sender: Sender, block: LogBlock, ended: asyncio.Event) -> bool:
    """Send until it succeeds; give up, False, some time after the container's end."""
    if not block.texts:
        return True
    records = [
        LogRecord(
            stream=stream,
            time=times.parse_stamp(stamp),
            text=text.removesuffix(b"\n"),
            partial=not text.endswith(b"\n"),
        )
        for stream, stamp, text in zip(*block, strict=True)
    ]
    pause, tries = _FIRST_PAUSE, 0
    while True:
        try:
            await sender.send(records)
        except OSError as error:
            if not tries:
                logger.warning("log server: %s; davitd tries again", error)
            tries = tries + 1 if ended.is_set() else 1
            if tries > _TRIES_AFTER_END:
                logger.error("log server: %s; given up until the next start", error)
                return False
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        else:
            return True


def _open(log: Path) -> Trail | None:
    """Open the log where the last sending ended; what was deleted meanwhile is left out."""
    position = _load(log)
    number = position.number or next(
        (file.number for file in segments.numbered(log) if file.inode == position.inode), 0
    )
    parts = deque[Part]()
    with closing_on_error(parts):
        for part in backwards(log):
            if parts and part.number is not None and part.number < number:
                os.close(part.descriptor)
                break
            parts.appendleft(part)
            if part.number == number if number else part.inode == position.inode:
                part.unpack(log.parent)
                os.lseek(part.descriptor, position.offset, os.SEEK_SET)
                break
        if not parts:
            return None
        parts[0].unpack(log.parent)
    return Trail(log, parts, follows=True)


def _load(log: Path) -> Position:
    try:
        return msgspec.json.decode(_sent(log).read_bytes(), type=Position)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return Position(0, 0, 0)


def _save(log: Path, file: Part) -> None:
    """One small write, which a crash of davitd does not cut; a removed log is none to note."""
    offset = os.lseek(file.descriptor, 0, os.SEEK_CUR)
    number = file.number or segments.number_of(log, file.descriptor) or 0
    position = Position(number, file.inode, offset)
    with contextlib.suppress(OSError):
        descriptor = os.open(_sent(log), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # Padded: a shorter note leaves nothing of a longer one.
            os.pwrite(descriptor, msgspec.json.encode(position).ljust(96), 0)
        finally:
            os.close(descriptor)


def _sent(log: Path) -> Path:
    return log.with_name(f"{log.name}.sent")
