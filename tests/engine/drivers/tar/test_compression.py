import asyncio
import bz2
import gzip
import io
import lzma
import sys
import threading
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

import pytest
import zstandard

from davit.drivers.tar import compression
from davit.drivers.tar.compression import decompressed
from davit.drivers.tar.stream import Source, feed
from davit.errors import InvalidParameter
from tests.engine.imagekit import chunks

DATA = bytes(range(256)) * 5000
PACKERS = pytest.mark.parametrize(
    "pack", [gzip.compress, bz2.compress, lzma.compress, zstandard.compress]
)


def read_all(source: Source) -> bytes:
    parts = []
    while data := source.read(10_000):
        assert len(data) <= 10_000
        parts.append(data)
    return b"".join(parts)


async def test_a_thread_reads_what_arrives_in_the_loop() -> None:
    def work(source: Source) -> bytes:
        assert threading.current_thread() is not threading.main_thread()
        return read_all(source)

    assert await feed(chunks(DATA, 999), work) == DATA


async def test_the_sender_is_held_back() -> None:
    """No more than two MiB (and a chunk) is taken before it is read, and nothing of it is lost."""
    chunk = 100 << 10
    sent = taken = most = 0

    async def many() -> AsyncIterator[bytes]:
        nonlocal sent, most
        for number in range(100):
            sent += chunk
            most = max(most, sent - taken)
            yield bytes([number]) * chunk

    def work(source: Source) -> bytes:
        nonlocal taken
        found = bytearray()
        while data := source.read(30_000):
            taken += len(data)
            found += data
        return bytes(found)

    expected = b"".join(bytes([number]) * chunk for number in range(100))
    assert await feed(many(), work) == expected
    assert most <= (2 << 20) + 2 * chunk


async def test_what_nobody_reads_is_left_to_the_sender() -> None:
    """Who has enough returns at once, and the chunks can be closed."""
    sent = 0

    async def endless() -> AsyncGenerator[bytes, None]:
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 1000

    async with aclosing(endless()) as source:
        assert await feed(source, lambda reader: reader.read(5)) == b"xxxxx"
    assert sent < 3000


async def test_errors_of_both_sides_come_out() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError, match="gone"):
        await feed(broken(), read_all)

    def fail(source: Source) -> None:
        raise InvalidParameter("bad")

    with pytest.raises(InvalidParameter, match="bad"):
        await feed(chunks(DATA), fail)


@pytest.mark.parametrize("round_", range(20))
async def test_cancelling_ends_the_thread(round_: int) -> None:
    """Many rounds: the thread may be anywhere when it happens."""
    reached = asyncio.Event()
    ended = threading.Event()

    async def stall() -> AsyncIterator[bytes]:
        for _ in range(round_):
            yield b"x"
        reached.set()
        await asyncio.Event().wait()

    def work(source: Source) -> None:
        try:
            read_all(source)
        finally:
            ended.set()

    task = asyncio.create_task(feed(stall(), work))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


@PACKERS
def test_decompression(pack: Callable[[bytes], bytes]) -> None:
    assert read_all(decompressed(io.BytesIO(pack(DATA)))) == DATA


@PACKERS
def test_frames_behind_each_other(pack: Callable[[bytes], bytes]) -> None:
    both = pack(DATA) + pack(b"more")
    assert read_all(decompressed(io.BytesIO(both))) == DATA + b"more"


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_cut_is_noticed(pack: Callable[[bytes], bytes]) -> None:
    packed = pack(DATA)
    for length in (len(packed) - 1, len(packed) // 2, 9):
        with pytest.raises(InvalidParameter, match="truncated"):
            read_all(decompressed(io.BytesIO(packed[:length])))


@PACKERS
def test_damage_is_noticed(pack: Callable[[bytes], bytes]) -> None:
    packed = bytearray(pack(DATA))
    packed[12:60] = b"\xff" * 48
    # What xz takes for a size may also make it wait for more.
    with pytest.raises(InvalidParameter, match=r"damaged|truncated"):
        read_all(decompressed(io.BytesIO(packed)))


@pytest.mark.parametrize("data", [b"", b"x", DATA])
def test_what_is_not_compressed_passes(data: bytes) -> None:
    assert read_all(decompressed(io.BytesIO(data))) == data


def _skippable(data: bytes, number: int = 0) -> bytes:
    return bytes([0x50 + number]) + b"\x2a\x4d\x18" + len(data).to_bytes(4, "little") + data


HALVES = DATA[: len(DATA) // 3], DATA[len(DATA) // 3 :]
ODD = {
    "two gzip members": b"".join(map(gzip.compress, HALVES)),
    "an empty gzip member": gzip.compress(b"") + gzip.compress(DATA) + gzip.compress(b""),
    # eStargz ends with an empty member whose header has an extra field with the footer.
    "eStargz's footer": gzip.compress(DATA)
    + bytes.fromhex("1f8b08040000000000ff1a00534716003030303030303030303030303030303053544152475a")
    + bytes.fromhex("010000ffff0000000000000000"),
    "two zstd frames": b"".join(map(zstandard.compress, HALVES)),
    "many zstd frames": b"".join(
        zstandard.compress(DATA[start : start + 5000]) for start in range(0, len(DATA), 5000)
    ),
    "a seek table behind": b"".join(map(zstandard.compress, HALVES)) + _skippable(bytes(40), 14),
    "skippable frames between": _skippable(b"x").join(map(zstandard.compress, HALVES)),
    "a skippable frame first": _skippable(bytes(4)) + zstandard.compress(DATA),
    "zstd without a size": zstandard.ZstdCompressor(write_content_size=False).compress(DATA),
    "two xz streams": b"".join(map(lzma.compress, HALVES)),
}


@pytest.mark.parametrize("packed", ODD.values(), ids=ODD.keys())
@pytest.mark.parametrize("step", [1 << 20, 777])
def test_frames_that_follow_each_other(packed: bytes, step: int) -> None:
    class Slow:
        def __init__(self) -> None:
            self._rest = io.BytesIO(packed)

        def read(self, size: int) -> bytes:
            return self._rest.read(min(size, step))

    assert read_all(decompressed(Slow())) == DATA


def _long(log: int) -> bytes:
    parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=log)
    packing = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return packing.compress(DATA) + packing.flush()


def _xz(size: int) -> bytes:
    return lzma.compress(DATA, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": size}])


@pytest.mark.parametrize(
    ("packed", "name"), [(_long(24), "zstd"), (_xz(16 << 20), "xz")], ids=["zstd", "xz"]
)
def test_a_window_that_is_too_wide(packed: bytes, name: str) -> None:
    with pytest.raises(compression.TooWide, match=f"the {name} data needs .* more than 8 MiB"):
        read_all(decompressed(io.BytesIO(packed), 8 << 20))
    assert read_all(decompressed(io.BytesIO(packed))) == DATA


def test_without_isal_zlib_reads_gzip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "isal", None)
    compression._gzip.cache_clear()
    try:
        packed = gzip.compress(DATA)
        assert read_all(decompressed(io.BytesIO(packed))) == DATA
        with pytest.raises(InvalidParameter, match="damaged"):
            read_all(decompressed(io.BytesIO(packed[:20] + b"\xff" * 50 + packed[70:])))
        assert compression._gzip().error is zlib.error
        packer = compression.gzip_packer()
        assert gzip.decompress(packer.compress(DATA) + packer.flush()) == DATA
    finally:
        compression._gzip.cache_clear()
