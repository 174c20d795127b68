import asyncio
import bz2
import gzip
import json
import lzma
import tarfile
from collections.abc import AsyncIterator, Callable

import pytest
import zstandard

from davit.errors import InvalidParameter, NotSupported
from davit.model import platform
from tests.engine import imagekit
from tests.engine.imagekit import chunks, files, member
from tests.engine.services.images.conftest import EMPTY, Kit

TAR = files({"etc/hostname": "box"})


@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, bz2.compress, lzma.compress, zstandard.compress]
)
async def test_any_compression(kit: Kit, pack: object) -> None:
    data = pack(TAR)  # type: ignore[operator]
    image = await kit.images.import_image(chunks(data, 100), tag="box:1")
    assert image.layers == [imagekit.digest(TAR)]
    (directory,) = kit.images.directories(image.layers)
    assert (directory / "etc/hostname").read_text() == "box"
    assert kit.images.resolve("box:1") == image
    assert kit.actions() == [("import", "box:1")]


async def test_the_configuration(kit: Kit) -> None:
    image = await kit.images.import_image(
        chunks(TAR),
        tag="box:latest",
        message="by hand",
        changes=['CMD ["sh"]', "ENV A=1"],
    )
    assert image.config.architecture == platform.parse("").architecture
    assert image.config.comment == "by hand"
    assert image.config.config.cmd == ["sh"]
    assert image.config.config.env == ["A=1"]
    stored = json.loads(await asyncio.to_thread(kit.blobs.read, image.id))
    assert stored["rootfs"] == {"type": "layers", "diff_ids": image.layers}
    assert stored["history"][0]["comment"] == "by hand"


async def test_without_a_name(kit: Kit) -> None:
    image = await kit.images.import_image(chunks(TAR))
    assert image.tags == ()
    assert kit.images.resolve(image.id[7:20]).id == image.id
    assert kit.actions() == [("import", image.id)]


async def test_another_platform(kit: Kit) -> None:
    image = await kit.images.import_image(chunks(TAR), platform="linux/arm/v7")
    assert (image.config.architecture, image.config.variant) == ("arm", "v7")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "truncated"),
        (TAR[:700], "truncated"),
        (TAR[:1024], "no end mark"),
        (b"no tar" * 500, "not a tar archive"),
        (gzip.compress(TAR)[:-9], "truncated"),
        (gzip.compress(TAR)[:-8] + b"\0" * 8, "gzip data is damaged"),
        (lzma.compress(TAR)[:-20], "truncated"),
        (zstandard.compress(TAR)[:-8], "truncated"),
        (imagekit.layer([member("../evil", b"1")]), "leads out"),
        (imagekit.layer([imagekit.hard_link("a", "/etc/passwd")]), "absolute path"),
        (imagekit.layer([member("a", kind=b"Z")]), "unknown type"),
    ],
)
async def test_nothing_stays_of_a_bad_archive(kit: Kit, data: bytes, message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        await kit.images.import_image(chunks(data), tag="bad:1")
    assert await kit.contents() == EMPTY
    assert kit.events == []


async def test_refusals_before_the_archive_is_read(kit: Kit) -> None:
    with pytest.raises(InvalidParameter, match="FROM is not a valid change command"):
        await kit.images.import_image(chunks(TAR), changes=["FROM x"])
    with pytest.raises(NotSupported, match="windows"):
        await kit.images.import_image(chunks(TAR), platform="windows/amd64")
    assert await kit.contents() == EMPTY


async def test_memory_stays_small_for_a_bomb(kit: Kit) -> None:
    """300 MB of zeros in 10 kB: each read of the decompressor is bounded."""
    size = 300 << 20
    info, _ = member("zeros")
    info.size = size
    packer = zstandard.ZstdCompressor().compressobj()
    parts = [packer.compress(info.tobuf(tarfile.GNU_FORMAT))]
    parts += [packer.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    parts += [packer.compress(bytes(1024)), packer.flush()]
    data = b"".join(parts)
    before = _peak()
    image = await kit.images.import_image(chunks(data))
    assert image.size == size
    assert _peak() - before < 64 << 10


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress])
async def test_a_layer_that_is_too_large(kit: Kit, pack: Callable[[bytes], bytes]) -> None:
    kit.max_layer_size = 1 << 20
    await kit.restart()
    data = files({"zeros": bytes(1 << 20)})
    with pytest.raises(InvalidParameter, match=r"more than 1048576 bytes: .* max-layer-size"):
        await kit.images.import_image(chunks(pack(data)))
    assert await kit.contents() == EMPTY
    await kit.images.import_image(chunks(pack(files({"zeros": bytes(1 << 19)}))))


async def test_a_client_that_never_ends_is_not_listened_to_for_ever(kit: Kit) -> None:
    kit.max_layer_size = 1 << 20
    await kit.restart()
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 65536
            yield b"no tar!!" * 8192

    with pytest.raises(InvalidParameter, match="max-layer-size"):
        await kit.images.import_image(endless())
    assert sent < 4 << 20
    assert await kit.contents() == EMPTY


def _peak() -> int:
    """Largest resident memory so far, in KiB."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
