"""Builds for clients of BuildKit: what they need is asked for in the client's session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from davit.errors import InvalidParameter, Unavailable
from davit.model import ids
from davit.model.build import BuildRequest
from davit.model.solve import Step
from davit.services.build.caches import Caches
from davit.services.build.needs import Needs
from davit.services.build.sessions import Present, Sessions, Upload


class SolveService:
    """Builds that are under way, by the ID that the client gave each."""

    def __init__(self, needs: Needs, caches: Caches, sessions: Sessions) -> None:
        self._needs = needs
        self._caches = caches
        self._sessions = sessions
        self._running: dict[str, asyncio.Task[str]] = {}
        self._uploads: Present[Upload] = Present("upload")

    async def solve(self, request: BuildRequest, report: Callable[[Step], None]) -> str:
        """Build, tag, and return the image's ID.

        report: called with every change of a step. Raises InvalidParameter, also for a command
        that fails, NotFound (session), Unavailable for a build that was cancelled by its ID.
        """
        build_id = request.build_id or ids.new_id()
        if build_id in self._running:
            raise InvalidParameter(f"build {build_id} is under way already")
        # Imported with the first build: most hosts never have one.
        from davit.services.build.solve import Solve

        solve = Solve(self._needs, self._caches, self._sessions, self._uploads, report)
        running = asyncio.ensure_future(solve.run(request, build_id))
        self._running[build_id] = running
        try:
            await asyncio.wait([running])
            if running.cancelled():
                raise Unavailable(f"build {build_id} was canceled")
            return running.result()
        finally:
            del self._running[build_id]
            if not running.done():
                running.cancel()
                await asyncio.wait([running])

    async def arrived(self, session_id: str) -> None:
        """Return when the session is there. Raises NotFound.

        Clients that are refused before they have opened it wait for ever.
        """
        await self._sessions.get(session_id)

    def cancel(self, build_id: str) -> None:
        """End a build; one that is not there has ended already."""
        if running := self._running.get(build_id):
            running.cancel()

    async def upload(self, build_id: str, chunks: AsyncIterator[bytes]) -> None:
        """Hold an archive ready for a build whose context it is; return when it has been read."""
        upload = Upload(chunks)
        async with self._uploads.held(build_id, upload):
            await upload.read.wait()
