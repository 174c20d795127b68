"""Commit: a container's writable layer and its configuration become an image."""

from __future__ import annotations

import asyncio
import os

import msgspec

from davit.drivers.tar.pack import Packer
from davit.drivers.tar.stream import Pieces
from davit.errors import NotFound
from davit.model import platform, times
from davit.model.image import CommitSource, CommitWish, History, Image, ImageConfig, RootFS
from davit.services.images import changes as instructions
from davit.services.images.content import Content, NewImage, write_config
from davit.services.images.unpack import Staged

# The end mark of an archive: two blocks of zeros.
_END = 1024


async def commit(content: Content, source: CommitSource, wish: CommitWish) -> Image:
    """Make an image. Raises InvalidParameter, SystemFailure (disk full)."""
    config = instructions.apply(source.config, wish.changes)
    below = _below(content, source)
    with content.hold() as held:
        held.update(source.layers)
        staged = await asyncio.to_thread(stage_upper, content, source.upper, source.paths)
        try:
            # Docker's archives of nothing make no layer either.
            added = [] if is_empty(staged) else [staged]
            created = times.rfc3339(times.now())
            image = msgspec.structs.replace(
                below,
                created=created,
                author=wish.author,
                comment=wish.comment,
                parent="",
                docker_version="",
                container=source.container,
                config=config,
                rootfs=RootFS(diff_ids=[*source.layers, *(item.layer.diff_id for item in added)]),
                history=[
                    *below.history,
                    History(
                        created=created,
                        created_by=source.command,
                        author=wish.author,
                        comment=wish.comment,
                        empty_layer=not added,
                    ),
                ],
            )
            new = NewImage(
                body=write_config(image),
                config=image,
                tags=(wish.tag,) if wish.tag else (),
                parent=source.image_id,
            )
            (stored,) = await content.commit([new], added)
        finally:
            await asyncio.to_thread(content.unpacker.discard, staged)
    return stored


def _below(content: Content, source: CommitSource) -> ImageConfig:
    """The configuration that the new one continues. The image may have been removed meanwhile."""
    try:
        return content.rows.get(source.image_id).config
    except NotFound:
        here = platform.parse("")
        return ImageConfig(architecture=here.architecture, os=here.os, variant=here.variant)


def stage_upper(content: Content, upper: str, paths: frozenset[str]) -> Staged:
    """Make a layer of an overlay's upper directory. paths: what of it is to be in. Blocking."""
    os.makedirs(upper, exist_ok=True)
    root = os.open(upper, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        packer = Packer(skip=lambda member: f"/{member}" not in paths, layer=True)
        return content.unpacker.stage(Pieces(packer.pack(root, ".", "")))
    finally:
        os.close(root)


def is_empty(staged: Staged) -> bool:
    """Whether the archive is its end mark alone."""
    return staged.layer.tar_size <= _END
