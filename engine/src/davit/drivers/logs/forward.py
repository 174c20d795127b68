"""Sending a container's log on to a log server, from the file that conmon writes.

How far the log was sent stands in a file beside it, written after each sending: whoever goes on
after a crash sends the last lines twice rather than not at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from pathlib import Path
from typing import Protocol

import msgspec

from davit.drivers.logs import segments
from davit.drivers.logs.k8s_file import Parser
from davit.drivers.logs.reader import LogFile
from davit.model import times
from davit.model.logs import LogBlock, LogRecord
from davit.sys.inotify import Watches, first_of

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
        opened = await asyncio.to_thread(_open, log)
        if opened is None:
            return
        file = LogFile(log, *opened)
        parser = Parser()
        try:
            is_complete = False
            while not is_complete:
                with self._watches.changed(file.link) as grown:
                    while True:
                        is_last = ended.is_set()
                        grown.clear()
                        is_old = await asyncio.to_thread(file.is_old)
                        while data := await asyncio.to_thread(file.read):
                            if not await _send(sender, parser.feed(data), ended):
                                return
                            if parser.is_clean:
                                await asyncio.to_thread(_save, log, file)
                        if is_old or is_last:
                            break
                        await first_of(grown, ended)
                is_complete = not is_old or not await asyncio.to_thread(file.advance)
            if await _send(sender, parser.flush(), ended):
                await asyncio.to_thread(_save, log, file)
        finally:
            await sender.close()
            file.close()


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


def _open(log: Path) -> tuple[int, int | None] | None:
    """Open the log where the last sending ended; what was deleted meanwhile is left out."""
    position = _load(log)
    files = segments.numbered(log)
    reserved = segments.inode_of(segments.spare(log))
    current = segments.inode_of(log)
    if current is None:
        return None
    number = position.number or next((f.number for f in files if f.inode == position.inode), 0)
    for file in files:
        if file.inode == reserved or file.number < number:
            continue
        with contextlib.suppress(FileNotFoundError):
            descriptor = segments.open_segment(file.path)
            if file.number == number:
                os.lseek(descriptor, position.offset, os.SEEK_SET)
            return descriptor, file.number
    descriptor = os.open(log, os.O_RDONLY | os.O_CLOEXEC)
    if current == position.inode:
        os.lseek(descriptor, position.offset, os.SEEK_SET)
    return descriptor, segments.number_of(log, descriptor)


def _load(log: Path) -> Position:
    try:
        return msgspec.json.decode(_sent(log).read_bytes(), type=Position)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return Position(0, 0, 0)


def _save(log: Path, file: LogFile) -> None:
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
