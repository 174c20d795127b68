"""Rotation without a container: what is kept, in which order, and what readers see of it."""

from __future__ import annotations

import asyncio
import os
import random
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from davit.drivers.logs import segments, trail
from davit.drivers.logs.keeper import LogKeeper
from davit.drivers.logs.reader import LogReader
from davit.model.logs import LogLimits, LogSelection
from tests.engine.drivers.logs.writer import FIRST, Writer

LIMITS = LogLimits(max_size=1000, max_file=4)
PACKED = LogLimits(max_size=1000, max_file=4, compress=True)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    writer = Writer(tmp_path / "container.log")
    yield writer
    writer.close()


async def read(log: Path, **selection: object) -> list[int]:
    ended = asyncio.Event()
    ended.set()
    blocks = LogReader().read(log, LogSelection(**selection), ended)  # type: ignore[arg-type]
    return [int(text) for text in [text async for block in blocks for text in block.texts]]


async def rotate(writer: Writer, limits: LogLimits = LIMITS) -> None:
    segments.prepare(writer.log, limits)
    await writer.reopen()
    segments.prepare(writer.log, limits)
    segments.tidy(writer.log, limits)


def held(writer: Writer) -> int:
    """Count the log's files that this process has open, deleted ones too."""
    names = [os.path.realpath(path) for path in Path("/proc/self/fd").iterdir()]
    return sum(name.startswith(str(writer.log.parent)) for name in names)


@pytest.mark.parametrize("limits", [LIMITS, PACKED])
async def test_all_files_are_read_in_order(writer: Writer, limits: LogLimits) -> None:
    for _ in range(3):
        writer.write(15)
        await rotate(writer, limits)
    writer.write(5)
    assert await read(writer.log) == list(range(50))
    assert await read(writer.log, since=FIRST + 20 * 10**9, until=FIRST + 40 * 10**9) == list(
        range(20, 41)
    )
    packed = [path for path in writer.log.parent.iterdir() if path.suffix == ".zst"]
    assert len(packed) == (3 if limits.compress else 0)


@pytest.mark.parametrize("limits", [LIMITS, PACKED])
async def test_the_last_lines_may_be_in_any_file(writer: Writer, limits: LogLimits) -> None:
    for _ in range(3):
        writer.write(15)
        await rotate(writer, limits)
    for count in (0, 1, 15, 16, 30, 44, 45, 46):
        assert await read(writer.log, tail=count) == list(range(max(0, 45 - count), 45))


async def test_a_line_may_begin_in_one_file_and_end_in_the_next(writer: Writer) -> None:
    writer.write(3)
    writer.part("12")
    await rotate(writer)
    writer.part("34", "F")
    assert await read(writer.log) == [0, 1, 2, 1234]
    assert await read(writer.log, tail=1) == [1234]
    assert await read(writer.log, tail=2) == [2, 1234]


@pytest.mark.parametrize("limits", [LIMITS, PACKED])
async def test_only_so_many_files_are_kept(writer: Writer, limits: LogLimits) -> None:
    for _ in range(10):
        writer.write(20)
        await rotate(writer, limits)
    writer.write(1)
    assert await read(writer.log) == list(range(140, 201))
    size = sum(path.stat().st_size for path in writer.log.parent.iterdir())
    assert size <= 2 * limits.max_file * limits.max_size


async def test_what_conmon_begins_by_itself_is_not_lost(writer: Writer) -> None:
    """davitd lags behind: conmon reaches its own limit once before and once after being asked."""
    segments.prepare(writer.log, LIMITS)
    writer.write(10)
    await writer.reopen()
    writer.write(10)
    await writer.reopen()
    writer.write(10)
    assert await read(writer.log) == list(range(30))
    segments.prepare(writer.log, LIMITS)
    segments.tidy(writer.log, LIMITS)
    await writer.reopen()
    writer.write(1)
    assert await read(writer.log) == list(range(31))


async def test_a_crash_between_two_names_of_a_file_is_harmless(writer: Writer) -> None:
    segments.prepare(writer.log, LIMITS)
    segments.spare(writer.log).unlink()
    writer.write(10)
    await rotate(writer)
    writer.write(10)
    assert await read(writer.log) == list(range(20))


async def test_a_full_file_makes_room_at_the_next_start(tmp_path: Path) -> None:
    for limits, kept in ((LIMITS, 35), (LogLimits(max_size=1000, max_file=1), 10)):
        log = tmp_path / f"{kept}" / "container.log"
        log.parent.mkdir()
        segments.prepare(log, limits, stopped=True)
        first = Writer(log)
        first.write(25)
        first.close()
        segments.prepare(log, limits, stopped=True)
        second = Writer(log)
        second.count = 25
        second.write(10)
        second.close()
        assert await read(log) == list(range(35 - kept, 35))


async def test_nothing_is_lost_or_doubled_while_a_follower_reads(writer: Writer) -> None:
    """The keeper rotates a log that grows; conmon begins files by itself now and then."""
    chance = random.Random(1)
    limits = LogLimits(max_size=2000, max_file=1000)
    ended, got = asyncio.Event(), list[int]()

    async def follow() -> None:
        async for block in LogReader().read(writer.log, LogSelection(follow=True), ended):
            got.extend(map(int, block.texts))

    tasks = [
        asyncio.create_task(LogKeeper().keep(writer.log, limits, writer.reopen, ended)),
        asyncio.create_task(follow()),
    ]
    for _ in range(300):
        writer.write(chance.randrange(1, 30))
        if chance.random() < 0.05 and segments.spare(writer.log).exists():
            await writer.reopen()
        await asyncio.sleep(chance.choice((0, 0, 0.002)))
    ended.set()
    await asyncio.gather(*tasks)
    assert got == list(range(writer.count))
    assert await read(writer.log) == got
    assert len(segments.numbered(writer.log)) > 20


def test_a_reader_goes_to_the_next_file_although_conmon_goes_on_meanwhile(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    segments.prepare(writer.log, LIMITS)
    place = trail.Trail(writer.log, deque(trail.backwards(writer.log)), follows=True)

    def go_on() -> None:
        segments.spare(writer.log).replace(writer.log)
        segments.prepare(writer.log, LIMITS)

    go_on()
    listed = segments.numbered

    def list_late(log: Path) -> list[segments.Segment]:
        monkeypatch.undo()
        go_on()
        return listed(log)

    monkeypatch.setattr(segments, "numbered", list_late)
    try:
        assert place.is_old()
        assert place.advance()
        assert place.part.number == 2
    finally:
        place.close()


def test_a_reader_finds_what_a_listing_has_missed(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names made while a directory is read may be listed or not (readdir(3))."""
    segments.prepare(writer.log, LIMITS)
    place = trail.Trail(writer.log, deque(trail.backwards(writer.log)), follows=True)
    for _ in range(2):
        segments.spare(writer.log).replace(writer.log)
        segments.prepare(writer.log, LIMITS)
    listed = segments.numbered
    monkeypatch.setattr(
        segments, "numbered", lambda log: [file for file in listed(log) if file.number != 2]
    )
    try:
        assert place.is_old()
        assert place.advance()
        assert place.part.number == 2
    finally:
        place.close()


@pytest.mark.parametrize("limits", [LIMITS, PACKED])
@pytest.mark.parametrize("follow", [False, True])
async def test_what_is_deleted_while_it_is_read_is_read(
    writer: Writer, monkeypatch: pytest.MonkeyPatch, limits: LogLimits, *, follow: bool
) -> None:
    """Rotation deletes all files but the first one, which the reader has only begun."""
    monkeypatch.setattr(trail, "BLOCK", 100)
    for _ in range(3):
        writer.write(15)
        await rotate(writer, limits)
    writer.write(15)
    ended, before = asyncio.Event(), held(writer)
    blocks = LogReader().read(writer.log, LogSelection(follow=follow), ended)
    got = [int(text) for text in (await anext(blocks)).texts]
    for _ in range(3):
        await rotate(writer, limits)
        writer.write(15)
    assert min(file.number for file in segments.numbered(writer.log) if file.size) == 4
    ended.set()
    got += [int(text) for text in [text async for block in blocks for text in block.texts]]
    assert got == list(range(105 if follow else 60))
    assert held(writer) == before


async def test_a_follower_holds_no_more_than_what_is_kept_and_as_much_again(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trail, "BLOCK", 100)
    blocks = LogReader().read(writer.log, LogSelection(follow=True), asyncio.Event())
    writer.write(1000)
    most = 0
    for _ in range(50):
        await rotate(writer)
        writer.write(15)
        await anext(blocks)
        most = max(most, held(writer))
    assert isinstance(blocks, AsyncGenerator)
    await blocks.aclose()
    assert LIMITS.max_file < most <= 2 * LIMITS.max_file + 4


async def test_rotation_that_ends_halfway_leaves_no_gap(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It deletes the oldest file first."""
    for _ in range(5):
        writer.write(15)
        segments.prepare(writer.log, LIMITS)
        await writer.reopen()
    segments.prepare(writer.log, LIMITS)
    unlink, gone = Path.unlink, list[str]()

    def unlink_once(path: Path, missing_ok: bool = False) -> None:
        if path.exists() and gone:
            raise OSError(5, "Input/output error")
        gone.extend([path.name] if path.exists() else [])
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", unlink_once)
        with pytest.raises(OSError, match="Input/output"):
            segments.tidy(writer.log, LIMITS)
    assert gone == ["container.log.1"]
    assert await read(writer.log) == list(range(15, 75))


async def test_files_deleted_while_they_are_opened_leave_no_gap(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader has opened one of three earlier files when rotation deletes all of them."""
    for _ in range(3):
        writer.write(15)
        await rotate(writer)
    writer.write(15)
    opened = segments.open_part

    def open_late(log: Path, number: int) -> tuple[int, bool]:
        found = opened(log, number)
        monkeypatch.undo()
        for file in segments.numbered(log)[:3]:
            file.path.unlink()
        return found

    monkeypatch.setattr(segments, "open_part", open_late)
    assert await read(writer.log) == list(range(30, 60))


async def test_the_keeper_goes_on_when_nothing_can_be_written(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a file in reserve conmon is not asked: it ends when it cannot open its next one."""
    limits = LogLimits(max_size=1000, max_file=3)
    ended, tried = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def refuse(log: Path, limits: LogLimits) -> None:
        loop.call_soon_threadsafe(tried.set)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(segments, "prepare", refuse)
    keeping = asyncio.create_task(LogKeeper().keep(writer.log, limits, writer.reopen, ended))
    writer.write(100)
    await tried.wait()
    ended.set()
    await keeping
    assert await read(writer.log) == list(range(100))
    assert len(list(writer.log.parent.iterdir())) == 1
