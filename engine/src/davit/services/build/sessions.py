"""Sessions of clients: who may be asked, for as long as his connection is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from davit.errors import Conflict, InvalidParameter, NotFound
from davit.services.build.needs import Session

T = TypeVar("T")

_PATIENCE = 5.0  # seconds: a client opens its session while it asks for the build


class Present(Generic[T]):
    """Things by ID while somebody holds them there; who asks too early waits for a moment."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._there: dict[str, T] = {}
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def held(self, name: str, thing: T) -> AsyncIterator[None]:
        """Have ``thing`` there. Raises Conflict when another has this ID."""
        if not name:
            raise InvalidParameter(f"{self._kind}: an ID is needed")
        if name in self._there:
            raise Conflict(f"{self._kind} {name} already exists")
        self._there[name] = thing
        try:
            async with self._changed:
                self._changed.notify_all()
            yield
        finally:
            del self._there[name]

    async def get(self, name: str) -> T:
        """Return the thing. Raises NotFound after some seconds."""
        async with self._changed:
            try:
                found = self._changed.wait_for(lambda: name in self._there)
                await asyncio.wait_for(found, _PATIENCE)
            except asyncio.TimeoutError:
                raise NotFound(
                    f"no active {self._kind} for {name}: the client has to keep it open while it "
                    "builds"
                ) from None
        return self._there[name]


class Sessions:
    """Those that are open now."""

    def __init__(self) -> None:
        self._present: Present[Session] = Present("session")

    async def get(self, session_id: str) -> Session:
        """Return one whose client listens. Raises NotFound."""
        session = await self._present.get(session_id)
        try:
            await asyncio.wait_for(session.ready(), _PATIENCE)
        except asyncio.TimeoutError:
            raise NotFound(f"session {session_id}: its client does not speak HTTP/2") from None
        return session

    @asynccontextmanager
    async def opened(self, session_id: str) -> AsyncIterator[asyncio.Protocol]:
        """Give the protocol for the client's connection; at the end the session ends.

        Raises Conflict.
        """
        # Rarely used, and not small.
        from davit.drivers.buildkit.session import ClientSession

        session = ClientSession()
        try:
            async with self._present.held(session_id, session):
                yield session.protocol
        finally:
            session.close()


class Upload:
    """An archive that a client sends for a build of another request. read: it has been."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self.chunks = chunks
        self.read = asyncio.Event()
