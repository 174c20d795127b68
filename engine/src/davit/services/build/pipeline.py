"""One build from what the client sends to the image: receive, read, plan, carry out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

from davit.drivers.dockerfile import parser
from davit.model import ids, platform
from davit.model.build import BuildRequest
from davit.model.image import Image
from davit.services.build import context
from davit.services.build.caches import Caches
from davit.services.build.execute import Execution
from davit.services.build.needs import Auths, Needs, Report
from davit.services.containers import cleanup
from davit.spec.dockerfile import stages
from davit.spec.dockerfile.arguments import of_platforms
from davit.sys.tasks import uncut


async def build_image(
    needs: Needs,
    request: BuildRequest,
    chunks: AsyncIterator[bytes],
    report: Report,
    auths: Auths,
    caches: Caches,
) -> Image:
    """Build and give the image its tags. Raises CommandFailed, DavitError."""
    # The directory is one of a container that does not exist: what a crash leaves of it the
    # next start takes for an orphan's.
    build_id = ids.new_id()
    scratch = needs.paths.container(build_id)
    async with AsyncExitStack() as undo:
        undo.push_async_callback(_remove, scratch)
        if request.remote:
            received = await context.fetch(scratch, request.remote, request.dockerfile)
        else:
            received = await context.receive(scratch / "context", chunks, request.dockerfile)
        escape = stages.escape_character(received.dockerfile.decode("utf-8-sig", "replace"))
        commands = await parser.parse(received.dockerfile)
        platforms = of_platforms(platform.parse(""), platform.parse(request.platform))
        platforms["TARGETSTAGE"] = request.target or "default"
        every, given = stages.divide(commands, request.args, platforms, escape)
        needed = stages.needed(every, request.target)
        keep = undo.enter_context(needs.images.keep())
        execution = Execution(
            needs,
            request,
            received,
            scratch=scratch,
            escape=escape,
            report=report,
            keep=keep,
            build_id=build_id,
            caches=caches,
            auths=auths,
        )
        image = await execution.run(every, needed, given)
        for tag in request.tags:
            await needs.images.tag(image.id, tag)
    return image


async def _remove(scratch: Path) -> None:
    await uncut(cleanup.remove_tree(scratch))
