"""``docker commit``: what of a container becomes an image."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack, suppress

import msgspec

from davit.errors import Conflict, NotFound, SystemFailure
from davit.model.config import ContainerConfig
from davit.model.container import Container, Status
from davit.model.image import CommitSource, CommitWish, Image
from davit.services.containers import changes, merge, pause
from davit.services.containers.context import Context

logger = logging.getLogger(__name__)


async def commit(
    ctx: Context,
    reference: str,
    wish: CommitWish,
    *,
    override: ContainerConfig | None = None,
    still: bool = True,
) -> Image:
    """Make an image of a container. override: configuration that goes before the container's.

    still: whether a running container is paused meanwhile. Raises NotFound, InvalidParameter.
    """
    container = ctx.store.get(reference)
    async with AsyncExitStack() as stack:
        if still and container.state.status is Status.RUNNING:
            # One that ends just now fails in the runtime (a conflict) or in its cgroup, which is
            # gone; one that somebody else paused is a conflict, too. All of them are still.
            with suppress(Conflict):
                try:
                    await pause.pause(ctx, container.id)
                except SystemFailure as error:
                    # It may be paused all the same: a full disk takes no word of it.
                    logger.info("%s while it is committed: %s", container.id, error)
                stack.push_async_callback(_go_on, ctx, container)
        image = await ctx.images.commit(await source(ctx, container, override), wish)
    ctx.announce(container, "commit", comment=wish.comment, imageID=image.id, imageRef=wish.tag)
    return image


async def _go_on(ctx: Context, container: Container) -> None:
    """Let it go on, if it has not ended and nobody has done so meanwhile: the image is made."""
    with suppress(Conflict, NotFound):
        try:
            await pause.unpause(ctx, container.id)
        except SystemFailure as error:
            if ctx.store.get(container.id).state.status is Status.PAUSED:
                raise
            # It goes on; only the word of it could not be written.
            logger.info("%s after it was committed: %s", container.id, error)


async def source(
    ctx: Context, container: Container, override: ContainerConfig | None = None
) -> CommitSource:
    """Tell what of a container a commit takes."""
    found = await changes.changes(ctx, container.id)
    return CommitSource(
        container=container.id,
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
    if override is None:
        return own
    return msgspec.structs.replace(merge.merge(override, own), image=override.image or own.image)
