"""Import: a root file system's tar becomes an image of one layer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from davit.drivers.tar.stream import feed
from davit.errors import NotSupported
from davit.model import platform, times
from davit.model.config import ContainerConfig
from davit.model.image import History, Image, ImageConfig, RootFS
from davit.services.images import changes as instructions
from davit.services.images.content import Content, NewImage, write_config
from davit.services.images.unpack import Staged


async def import_image(
    content: Content,
    chunks: AsyncIterator[bytes],
    *,
    tag: str = "",
    message: str = "",
    changes: Sequence[str] = (),
    wanted: str = "",
) -> Image:
    """Make an image of a tar stream, compressed or not.

    tag: ``repository:tag`` to give it, empty for none. changes: Dockerfile instructions.
    wanted: platform it is for, ``os[/architecture[/variant]]``. Raises InvalidParameter.
    """
    config = instructions.apply(ContainerConfig(), changes)
    target = platform.parse(wanted)
    if target.os != "linux":
        raise NotSupported(f"operating system {target.os!r}: davit runs linux images only")
    staged: list[Staged] = []
    try:
        await feed(chunks, lambda source: staged.append(content.unpacker.stage(source, whole=True)))
        created = times.rfc3339(times.now())
        image = ImageConfig(
            architecture=target.architecture,
            os=target.os,
            variant=target.variant,
            created=created,
            comment=message,
            config=config,
            rootfs=RootFS(diff_ids=[staged[0].layer.diff_id]),
            history=[History(created=created, comment=message or "Imported from -")],
        )
        new = NewImage(body=write_config(image), config=image, tags=(tag,) if tag else ())
        (stored,) = await content.commit([new], staged)
    finally:
        for item in staged:
            await asyncio.to_thread(content.unpacker.discard, item)
    return stored
