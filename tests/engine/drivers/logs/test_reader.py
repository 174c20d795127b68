from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from davit.drivers.logs import tail
from davit.drivers.logs.k8s_file import MAX_LINE, Parser
from davit.drivers.logs.reader import LogReader
from davit.model import times
from davit.model.logs import LogBlock, LogSelection
from davit.model.runtime import STDERR, STDOUT
from tests.engine.drivers.logs.writer import FIRST, entry


async def read(
    path: Path, selection: LogSelection | None = None, ended: asyncio.Event | None = None
) -> list[bytes]:
    reader = LogReader()
    if ended is None:
        ended = asyncio.Event()
        ended.set()
    blocks = reader.read(path, selection or LogSelection(), ended)
    return [text async for block in blocks for text in block.texts]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "container.log"
    path.write_text(
        entry("one", second=1)
        + entry("two", second=2, stream="stderr")
        + entry("thr", second=3, tag="P")
        + entry("ee", second=4)
        + entry("four", second=5)
    )
    return path


def test_an_entry_has_its_time_and_stream() -> None:
    line = "2023-11-14T23:13:20.000000007+01:00 stderr F a b  c\n"
    stamp = b"2023-11-14T23:13:20.000000007+01:00"
    assert Parser().feed(line.encode()) == LogBlock([STDERR], [stamp], [b"a b  c\n"])
    assert times.parse_stamp(stamp) == FIRST + 7
    assert times.utc_stamp(stamp) == b"2023-11-14T22:13:20.000000007Z"


def test_entries_may_be_cut_anywhere(log: Path) -> None:
    whole = Parser().feed(log.read_bytes())
    for size in (1, 2, 3, 7, 50):
        parser, lines = Parser(), LogBlock([], [], [])
        data = log.read_bytes()
        for start in range(0, len(data), size):
            for all_, some in zip(lines, parser.feed(data[start : start + size]), strict=True):
                all_.extend(some)  # type: ignore[attr-defined]
        assert lines == whole


def test_parts_are_joined_within_their_stream_and_keep_the_first_time() -> None:
    parser = Parser()
    text = (
        entry("a", second=1, tag="P")
        + entry("x", second=2, tag="P", stream="stderr")
        + entry("b", second=3)
    )
    block = parser.feed(text.encode())
    assert (block.streams, block.texts) == ([STDOUT], [b"ab\n"])
    assert list(map(times.parse_stamp, block.stamps)) == [FIRST + 10**9]
    assert not parser.is_clean
    assert parser.flush().texts == [b"x"]
    assert parser.flush().texts == []
    assert parser.is_clean


def test_an_endless_line_is_handed_on_in_pieces() -> None:
    parser = Parser()
    part = entry("x" * 8192, tag="P").encode()
    pieces = [text for _ in range(100) for text in parser.feed(part).texts]
    assert {len(piece) for piece in pieces} == {MAX_LINE}
    assert len(pieces) == 50


@pytest.mark.parametrize("size", [1, MAX_LINE - 1, MAX_LINE, MAX_LINE + 1, 2 * MAX_LINE, 50_000])
@pytest.mark.parametrize("part", [1000, 8192])
def test_a_long_line_comes_in_pieces_of_one_time_and_one_size(size: int, part: int) -> None:
    line = "x" * size
    parts = [line[start : start + part] for start in range(0, size, part)]
    texts = [entry(text, second=number, tag="P") for number, text in enumerate(parts)]
    texts.append(entry("", second=60))
    block = Parser().feed("".join(texts).encode())
    assert b"".join(block.texts) == line.encode() + b"\n"
    assert set(map(len, block.texts[:-1])) <= {MAX_LINE}
    assert len(block.texts) == size // MAX_LINE + 1
    assert set(map(times.parse_stamp, block.stamps)) == {FIRST}


def test_what_is_no_entry_is_left_out() -> None:
    text = "\n\x00\x00garbage\n2023 stdout F x\n" + entry("good") + "2023-11-14T23:13:20"
    assert Parser().feed(text.encode()).texts == [b"good\n"]
    cut = entry("one") + entry("two")[:20] + "\n" + entry("three")
    assert Parser().feed(cut.encode()).texts == [b"one\n", b"three\n"]


async def test_everything(log: Path) -> None:
    assert await read(log) == [b"one\n", b"two\n", b"three\n", b"four\n"]


async def test_a_missing_log_is_empty(tmp_path: Path) -> None:
    assert await read(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (LogSelection(streams=frozenset({STDERR})), [b"two\n"]),
        (LogSelection(since=FIRST + 3 * 10**9), [b"three\n", b"four\n"]),
        (LogSelection(until=FIRST + 2 * 10**9), [b"one\n", b"two\n"]),
        (LogSelection(tail=0), []),
        (LogSelection(tail=1), [b"four\n"]),
        (LogSelection(tail=2), [b"three\n", b"four\n"]),
        (LogSelection(tail=4), [b"one\n", b"two\n", b"three\n", b"four\n"]),
        (LogSelection(tail=99), [b"one\n", b"two\n", b"three\n", b"four\n"]),
    ],
)
async def test_a_selection(log: Path, selection: LogSelection, expected: list[bytes]) -> None:
    assert await read(log, selection) == expected


async def test_a_line_without_end_is_the_last_one(log: Path) -> None:
    with log.open("a") as file:
        file.write(entry("prompt> ", second=9, tag="P"))
    assert (await read(log))[-1] == b"prompt> "
    assert await read(log, LogSelection(tail=1)) == [b"prompt> "]
    assert await read(log, LogSelection(tail=2)) == [b"four\n", b"prompt> "]


@pytest.mark.parametrize("block", [1, 10, 63, 64, 65, 1000])
@pytest.mark.parametrize("count", [1, 2, 7, 40, 41])
async def test_tail_finds_the_line_in_blocks_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, count: int
) -> None:
    path = tmp_path / "log"
    path.write_text("".join(entry(f"{number}" * (number % 9)) for number in range(40)))
    everything = await read(path)
    monkeypatch.setattr(tail, "BLOCK", block)
    assert await read(path, LogSelection(tail=count)) == everything[-count:]


async def test_following_brings_what_is_written_and_ends_with_the_container(log: Path) -> None:
    ended, got = asyncio.Event(), asyncio.Queue[bytes]()

    async def follow() -> None:
        async for block in LogReader().read(log, LogSelection(tail=1, follow=True), ended):
            for text in block.texts:
                got.put_nowait(text)

    follower = asyncio.create_task(follow())
    assert await got.get() == b"four\n"
    for number in range(3):
        with log.open("a") as file:
            file.write(entry(f"more {number}"))
        assert await got.get() == f"more {number}\n".encode()
    with log.open("a") as file:
        file.write(entry("last"))
    ended.set()
    await follower
    assert got.get_nowait() == b"last\n"


async def test_following_stops_at_its_time(log: Path) -> None:
    selection = LogSelection(follow=True, until=times.now() + 10**7)
    assert len(await read(log, selection, asyncio.Event())) == 4


async def test_followers_share_an_inotify_instance_and_give_it_back(log: Path) -> None:
    reader, ended = LogReader(), asyncio.Event()
    before = _descriptors()

    async def follow() -> int:
        blocks = reader.read(log, LogSelection(follow=True), ended)
        return sum([len(block.texts) async for block in blocks])

    followers = [asyncio.create_task(follow()) for _ in range(20)]
    await asyncio.to_thread(_until_open, before + 21)  # a log each, and one instance
    ended.set()
    assert await asyncio.gather(*followers) == [4] * 20
    # Closed behind our back: that takes the kernel a while.
    await asyncio.wait_for(asyncio.to_thread(_until_open, before), 10)


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _until_open(count: int) -> None:
    while _descriptors() != count:
        time.sleep(0.001)
