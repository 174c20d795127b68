"""A build's step becomes an image: the one before it, a new configuration, perhaps a layer."""

from __future__ import annotations

import asyncio

import msgspec

from davit.model import times
from davit.model.image import History, Image, ImageConfig, RootFS, StepWish
from davit.model.platform import Platform
from davit.services.images.commit import is_empty, stage_upper
from davit.services.images.content import Content, NewImage, write_config
from davit.services.images.unpack import Staged


async def add(content: Content, wish: StepWish) -> Image:
    """Store the image. Raises SystemFailure (disk full)."""
    base = wish.base.config if wish.base is not None else _blank(wish.platform)
    with content.hold() as held:
        held.update(base.rootfs.diff_ids)
        staged: list[Staged] = []
        try:
            if wish.upper:
                found = await asyncio.to_thread(stage_upper, content, wish.upper, wish.paths)
                staged.append(found)
            added = [item.layer.diff_id for item in staged if not is_empty(item)]
            if wish.layer:
                added = [wish.layer]
            image = _configuration(base, wish, added)
            new = NewImage(
                body=write_config(image),
                config=image,
                parent=wish.base.id if wish.base is not None else "",
                step=wish.key,
            )
            (stored,) = await content.commit([new], staged)
        finally:
            for item in staged:
                await asyncio.to_thread(content.unpacker.discard, item)
    return stored


def _configuration(base: ImageConfig, wish: StepWish, added: list[str]) -> ImageConfig:
    created = times.rfc3339(times.now())
    return msgspec.structs.replace(
        base,
        created=created,
        author=wish.author,
        comment="",
        parent="",
        docker_version="",
        container=wish.container,
        config=wish.config,
        rootfs=RootFS(diff_ids=[*base.rootfs.diff_ids, *added]),
        history=[
            *base.history,
            History(
                created=created,
                created_by=wish.created_by,
                author=wish.author,
                empty_layer=not added,
            ),
        ],
    )


def _blank(wanted: Platform) -> ImageConfig:
    return ImageConfig(architecture=wanted.architecture, os=wanted.os, variant=wanted.variant)
