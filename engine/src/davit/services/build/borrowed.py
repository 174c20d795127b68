"""A build's context, when the client lends it file by file.

What ``.dockerignore`` names does not travel: the client is told to leave it out.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from davit.errors import InvalidParameter
from davit.services.build.context import Context, read, remove_ignored
from davit.services.build.needs import Session
from davit.services.build.trace import Trace
from davit.spec.dockerfile.match import Ignored, ignore_patterns

_CONTEXT, _DOCKERFILE = "context", "dockerfile"
_IGNORE = ".dockerignore"


async def borrow(session: Session, scratch: Path, dockerfile: str, trace: Trace) -> Context:
    """Copy what the client has to a new directory in ``scratch``, which is made.

    dockerfile: its name in the client's directory for Dockerfiles. Raises InvalidParameter,
    Unavailable.
    """
    name = dockerfile or "Dockerfile"
    with trace.step(f"[internal] load build definition from {name}"):
        beside = scratch / _DOCKERFILE
        includes = [name, f"{name}{_IGNORE}"]
        await session.directory(_DOCKERFILE, beside, includes=includes)
        text = await asyncio.to_thread(read, beside, name)
        if text is None:
            raise InvalidParameter(
                f"failed to read dockerfile: open {name}: no such file or directory"
            )
        if not text.strip():
            raise InvalidParameter(f"the Dockerfile ({name}) cannot be empty")
    with trace.step(f"[internal] load {_IGNORE}"):
        ignored = await asyncio.to_thread(read, beside, f"{name}{_IGNORE}")
        if ignored is None:
            place = scratch / "ignored"
            await session.directory(_CONTEXT, place, includes=[_IGNORE])
            ignored = await asyncio.to_thread(read, place, _IGNORE)
    with trace.step("[internal] load build context"):
        root = scratch / "files"
        lines = (ignored or b"").decode("utf-8-sig", errors="replace").splitlines()
        excludes = ignore_patterns(lines)
        total = 0

        def arrived(size: int) -> None:
            nonlocal total
            total = size
            trace.amount("transferring context:", size)

        await session.directory(_CONTEXT, root, excludes=excludes, progress=arrived)
        # Older clients do not understand names that are not ASCII.
        await asyncio.to_thread(remove_ignored, root, Ignored(lines))
        trace.amount("transferring context:", total, done=True)
    return Context(root, text)
