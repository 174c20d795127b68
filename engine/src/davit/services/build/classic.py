"""A classic build: everything that it needs comes with the request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from davit.errors import DavitError
from davit.model.build import BuildRequest
from davit.services.build import context
from davit.services.build.caches import Caches
from davit.services.build.context import Context
from davit.services.build.failure import CommandFailed
from davit.services.build.lines import Lines, Print
from davit.services.build.needs import Auths, Needs
from davit.services.build.pipeline import build_image
from davit.services.build.sent import Sent


async def build(
    needs: Needs,
    caches: Caches,
    request: BuildRequest,
    chunks: AsyncIterator[bytes],
    report: Print,
    auths: Auths,
) -> None:
    """See ``BuildService.build``."""
    lines = Lines(report, quiet=request.quiet)

    async def get_context(scratch: Path) -> Context:
        if request.remote:
            return await context.fetch(scratch, request.remote, request.dockerfile)
        return await context.receive(scratch / "context", chunks, request.dockerfile)

    try:
        lender = Sent(request.secrets, auths)
        image_id = await build_image(needs, caches, request, get_context, lines.show, lender)
        lines.done(image_id, request.tags)
    except CommandFailed as error:
        lines.fail(str(error), error.code)
    except DavitError as error:
        if not lines.begun:
            raise
        lines.fail(error.message)
