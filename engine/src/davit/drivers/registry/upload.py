"""Putting blobs and manifests into a repository.

Source: OCI distribution specification v1.1, "Push".
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from functools import partial
from http import HTTPStatus
from typing import cast
from urllib.parse import urlencode, urljoin

from davit.drivers.registry.answers import TooLarge
from davit.drivers.registry.repository import Repository
from davit.drivers.registry.retry import Backoff, Temporary, Waiting
from davit.errors import DavitError, NotFound, Unavailable

_OCTETS = "application/octet-stream"
_CHUNK = 16 << 20
_SMALLEST_CHUNK = 1 << 20

BodyFrom = Callable[[int], AsyncIterator[bytes] | bytes]


async def has_blob(repository: Repository, digest: str) -> bool:
    """Whether the repository has it already."""
    try:
        async with repository.request("HEAD", f"blobs/{digest}"):
            return True
    except NotFound:
        return False


async def mount_blob(repository: Repository, digest: str, origin: str) -> bool:
    """Take a blob over from another repository of the registry, when it has it and lets us."""
    scope = f"repository:{origin}:pull"
    repository.claim(scope)
    query = {"mount": digest, "from": origin}
    try:
        async with repository.request("POST", "blobs/uploads/", query=query) as answer:
            if answer.status == HTTPStatus.CREATED:
                return True
            location = answer.headers.get("Location", "")
    except DavitError:
        # Some servers give no token at all when one scope is not ours.
        repository.disclaim(scope)
        raise
    # It began an upload instead: that is not how this blob may come in the end.
    if location:
        async with repository.request("DELETE", location, refused=False):
            pass
    return False


async def put_blob(
    repository: Repository, digest: str, size: int, body: BodyFrom, waiting: Waiting
) -> None:
    """Upload a blob in one request; when it is cut off, what the registry lacks of it.

    Where so long a request is not taken (413), it goes in chunks, of half the size each time that
    this is not taken either, and never shorter than the registry asks for.

    body: makes the bytes from an offset on. waiting: told of the pauses before it is tried again.
    Raises what the refusal means, Unavailable after the last try.
    """
    backoff = Backoff(waiting)
    location, offset, resumed = "", 0, False
    chunk = least = 0
    while True:
        try:
            if location:
                before = offset
                location, offset = await _status(repository, location, size)
                resumed = bool(location)
                backoff.gain(max(0, offset - before))
                if not resumed and await has_blob(repository, digest):
                    # All had arrived; it was the answer that was lost.
                    return
            if not location:
                location, least = await _begin(repository, digest)
            if chunk:
                location = await _send(repository, location, size, offset, body, chunk)
                await _finish(repository, location, digest, size, size, body)
            else:
                await _finish(repository, location, digest, size, offset, body)
        except Temporary as error:
            await backoff.wait(error)
        except TooLarge:
            smaller = max(chunk // 2 or _CHUNK, _SMALLEST_CHUNK, least)
            if smaller == chunk:
                raise
            chunk = smaller
            location, offset, resumed = "", 0, False
        except (NotFound, Unavailable) as error:
            # What it has may be of something else, or it does not take the rest.
            if not resumed:
                raise
            location, offset, resumed = "", 0, False
            await backoff.wait(Temporary(error.message))
        else:
            return


async def _begin(repository: Repository, digest: str) -> tuple[str, int]:
    """Return where to, and how short a chunk may be that is not the last one."""
    async with repository.request("POST", "blobs/uploads/") as answer:
        location = answer.headers.get("Location", "")
        if not location:
            raise Unavailable(f"the registry does not say where to upload blob {digest} to")
        least = answer.headers.get("OCI-Chunk-Min-Length", "")
        return urljoin(str(answer.url), location), int(least) if least.isdecimal() else 0


async def _send(
    repository: Repository, location: str, size: int, offset: int, body: BodyFrom, chunk: int
) -> str:
    """Send all from an offset on in chunks; return where the upload is to be finished."""
    while offset < size:
        end = min(offset + chunk, size)
        headers = {
            "Content-Length": str(end - offset),
            "Content-Range": f"{offset}-{end - 1}",
            "Content-Type": _OCTETS,
        }
        part = partial(_part, body, offset, end - offset)
        async with repository.request("PATCH", location, headers=headers, body=part) as answer:
            location = urljoin(str(answer.url), answer.headers.get("Location", "")) or location
        offset = end
    return location


async def _part(body: BodyFrom, offset: int, length: int) -> AsyncIterator[bytes]:
    """So many bytes from there on."""
    found = body(offset)
    if isinstance(found, bytes):
        yield found[:length]
        return
    async with aclosing(cast("AsyncGenerator[bytes, None]", found)) as pieces:
        async for piece in pieces:
            yield piece[:length]
            length -= len(piece)
            if length <= 0:
                return


async def _finish(
    repository: Repository, location: str, digest: str, size: int, offset: int, body: BodyFrom
) -> None:
    target = f"{location}{'&' if '?' in location else '?'}{urlencode({'digest': digest})}"
    headers = {"Content-Length": str(size - offset), "Content-Type": _OCTETS}
    if 0 < offset < size:
        headers["Content-Range"] = f"{offset}-{size - 1}"
    async with repository.request("PUT", target, headers=headers, body=lambda: body(offset)):
        pass


async def _status(repository: Repository, location: str, size: int) -> tuple[str, int]:
    """Return where an upload goes on, and how many bytes of it are there.

    Both are empty when the registry does not know it any more. Raises Temporary.
    """
    try:
        async with repository.request("GET", location) as answer:
            first, _, last = answer.headers.get("Range", "").removeprefix("bytes=").partition("-")
            if first != "0" or not last.isdecimal():
                return "", 0
            # Nothing is written as the first byte is: "0-0".
            offset = int(last) + 1 if int(last) else 0
            moved = urljoin(str(answer.url), answer.headers.get("Location", "")) or location
            return (moved, offset) if offset <= size else ("", 0)
    except Temporary:
        raise
    except DavitError:
        return "", 0


async def put_manifest(
    repository: Repository, reference: str, media_type: str, content: bytes
) -> None:
    """Put a manifest under a tag or its digest."""
    headers = {"Content-Type": media_type}
    async with repository.request(
        "PUT", f"manifests/{reference}", headers=headers, body=lambda: content
    ):
        pass
