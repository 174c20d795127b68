"""One build of a client's session: its context, its lines, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from davit.errors import DavitError, InvalidParameter
from davit.model.build import LENT, UPLOADED, BuildRequest
from davit.model.solve import Step
from davit.services.build import context
from davit.services.build.borrowed import borrow
from davit.services.build.caches import Caches
from davit.services.build.context import Context
from davit.services.build.failure import CommandFailed
from davit.services.build.needs import Needs, Session
from davit.services.build.pipeline import build_image
from davit.services.build.sessions import Present, Sessions, Upload
from davit.services.build.trace import Trace


class Solve:
    """report: called with every change of a step."""

    def __init__(
        self,
        needs: Needs,
        caches: Caches,
        sessions: Sessions,
        uploads: Present[Upload],
        report: Callable[[Step], None],
    ) -> None:
        self._needs = needs
        self._caches = caches
        self._sessions = sessions
        self._uploads = uploads
        self._report = report

    async def run(self, request: BuildRequest, build_id: str) -> str:
        """Build and return the image's ID. Raises DavitError."""
        trace = Trace(self._report, build_id)
        session = await self._sessions.get(request.session)
        request = replace(request, cache_from=self._sources(request, trace))

        async def get_context(scratch: Path) -> Context:
            return await self._context(request, session, scratch, trace)

        try:
            image_id = await build_image(
                self._needs, self._caches, request, get_context, trace.show, session
            )
        except CommandFailed as error:
            message = (
                f'process "{error.command}" did not complete successfully: exit code: {error.code}'
            )
            trace.end(message)
            raise InvalidParameter(message) from error
        except DavitError as error:
            trace.end(error.message)
            raise
        with trace.step("exporting to image"):
            for what in (
                f"writing image {image_id}",
                *(f"naming to {tag}" for tag in request.tags),
            ):
                trace.amount(what, 0, done=True)
        return image_id

    def _sources(self, request: BuildRequest, trace: Trace) -> list[str]:
        """Return the images that lend their steps, and tell which are none; no failure."""
        found = []
        for source in request.cache_from:
            trace.begin(f"importing cache manifest from {source}")
            try:
                self._needs.images.resolve(source)
            except DavitError:
                trace.end(
                    f"warning: --cache-from {source} is ignored: this engine has no such image, "
                    "and takes no cache from elsewhere: pull or load the image first"
                )
            else:
                trace.end()
                found.append(source)
        return found

    async def _context(
        self, request: BuildRequest, session: Session, scratch: Path, trace: Trace
    ) -> Context:
        if request.remote in ("", LENT):
            return await borrow(session, scratch, request.dockerfile, trace)
        with trace.step(f"[internal] load remote build context: {request.remote}"):
            if request.remote != UPLOADED:
                return await context.fetch(scratch, request.remote, request.dockerfile)
            upload = await self._uploads.get(request.build_id)
            try:
                root = scratch / "context"
                return await context.receive(root, upload.chunks, request.dockerfile)
            finally:
                upload.read.set()
