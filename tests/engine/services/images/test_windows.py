"""Pulls of layers that need much memory to be decompressed: zstd's windows, xz's dictionaries."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from davit.errors import InvalidParameter
from tests.engine.imagekit import Built, files
from tests.engine.registrykit import Shelf, registry
from tests.engine.services.images.conftest import EMPTY, Pulls

MIB = 1 << 20


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


def long(data: bytes, log: int = 27) -> bytes:
    """As ``zstd --long=27`` does it; from a pipe, so that no size is known before."""
    parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=log, enable_ldm=True)
    packing = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return packing.compress(data) + packing.flush()


def _memory(field: str) -> int:
    """Bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) << 10
    raise LookupError(field)


async def test_the_largest_windows_one_after_the_other(pulls: Pulls, address: str) -> None:
    built = Built(layers=[files({"f": bytes([number]) * (32 * MIB)}) for number in range(3)])
    packed = [long(layer) for layer in built.layers]
    assert {zstandard.get_frame_parameters(data).window_size for data in packed} == {128 * MIB}
    Shelf(address, "long").image("1", built, long)
    # proc(5): "5" resets the mark.
    await asyncio.to_thread(Path("/proc/self/clear_refs").write_text, "5")
    before = await asyncio.to_thread(_memory, "VmRSS")
    assert (await pulls.pull(f"{address}/long:1")).id == built.id
    assert await asyncio.to_thread(_memory, "VmHWM") - before < 72 * MIB


async def test_a_wide_frame_behind_a_narrow_one(pulls: Pulls, address: str) -> None:
    built = Built(layers=[files({"f": bytes(MIB)})])

    def pack(data: bytes) -> bytes:
        return zstandard.compress(data[:1000]) + long(data[1000:])

    Shelf(address, "mixed").image("1", built, pack)
    assert (await pulls.pull(f"{address}/mixed:1")).id == built.id


async def test_a_window_beyond_all(pulls: Pulls, address: str) -> None:
    built = Built(layers=[files({"f": bytes(MIB)})])
    Shelf(address, "wide").image("1", built, lambda data: long(data, 28))
    with pytest.raises(InvalidParameter, match=r"refused: the zstd data needs .* 128 MiB"):
        await pulls.pull(f"{address}/wide:1")
    assert await pulls.kit.contents() == EMPTY
