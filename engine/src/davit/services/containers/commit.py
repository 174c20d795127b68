"""``docker commit``: what of a container becomes an image."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack

import msgspec

from davit.model.config import ContainerConfig
from davit.model.container import Container, Status
from davit.model.image import CommitSource, Image
from davit.services.containers import changes, merge, pause
from davit.services.containers.context import Context


async def commit(
    ctx: Context,
    reference: str,
    override: ContainerConfig | None,
    *,
    tag: str = "",
    comment: str = "",
    author: str = "",
    instructions: Sequence[str] = (),
    still: bool = True,
) -> Image:
    """Make an image of a container. override: configuration that goes before the container's.

    still: whether a running container is paused meanwhile. Raises NotFound, InvalidParameter.
    """
    container = ctx.store.get(reference)
    async with AsyncExitStack() as stack:
        if still and container.state.status is Status.RUNNING:
            await pause.pause(ctx, container.id)
            stack.push_async_callback(pause.unpause, ctx, container.id)
        image = await ctx.images.commit(
            await _source(ctx, container, override),
            tag=tag,
            comment=comment,
            author=author,
            changes=instructions,
        )
    ctx.announce(container, "commit", comment=comment, imageID=image.id, imageRef=tag)
    return image


async def _source(
    ctx: Context, container: Container, override: ContainerConfig | None
) -> CommitSource:
    found = await changes.changes(ctx, container.id)
    return CommitSource(
        upper=str(ctx.paths.upper(container.id)),
        image_id=container.image_id,
        layers=container.layers,
        config=_config(container, override),
        paths=frozenset(change.path for change in found),
        command=" ".join(merge.command(container.config)),
    )


def _config(container: Container, override: ContainerConfig | None) -> ContainerConfig:
    own = container.config
    if own.hostname == container.id[:12]:
        own = msgspec.structs.replace(own, hostname="")
    return merge.merge(override, own) if override is not None else own
