"""One build from its context, wherever that is, to the image: receive, read, plan, carry out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from davit.drivers.dockerfile import parser
from davit.model import ids, platform
from davit.model.build import BuildRequest
from davit.services.build.caches import Caches
from davit.services.build.context import Context
from davit.services.build.execute import Execution
from davit.services.build.needs import Lender, Needs, Report
from davit.services.containers import cleanup
from davit.spec.dockerfile import stages
from davit.spec.dockerfile.arguments import of_platforms
from davit.sys.tasks import uncut

GetContext = Callable[[Path], Awaitable[Context]]
"""Puts a context into a directory, which it has to make."""


async def build_image(
    needs: Needs,
    caches: Caches,
    request: BuildRequest,
    get_context: GetContext,
    report: Report,
    lender: Lender,
) -> str:
    """Build, give the image its tags, and return its ID. Raises CommandFailed, DavitError.

    When the caller is cancelled nothing stays but the steps that were done.
    """
    # The directory is one of a container that does not exist: what a crash leaves of it the
    # next start takes for an orphan's.
    build_id = ids.new_id()
    scratch = needs.paths.container(build_id)
    async with AsyncExitStack() as undo:
        undo.push_async_callback(_remove, scratch)
        received = await get_context(scratch)
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
            lender=lender,
        )
        image = await execution.run(every, needed, given)
        for tag in request.tags:
            await needs.images.tag(image.id, tag)
        return image.id


async def _remove(scratch: Path) -> None:
    await uncut(cleanup.remove_tree(scratch))
