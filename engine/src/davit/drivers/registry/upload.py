"""Putting blobs and manifests into a repository.

Source: OCI distribution specification v1.1, "Push".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from urllib.parse import urlencode, urljoin

from davit.drivers.registry.repository import Repository
from davit.drivers.registry.retry import Backoff, Temporary, Waiting
from davit.errors import DavitError, NotFound, Unavailable

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

    body: makes the bytes from an offset on. waiting: told of the pauses before it is tried again.
    Raises what the refusal means, Unavailable after the last try.
    """
    backoff = Backoff(waiting)
    location, offset, resumed = "", 0, False
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
                location = await _begin(repository, digest)
            await _finish(repository, location, digest, size, offset, body)
        except Temporary as error:
            await backoff.wait(error)
        except (NotFound, Unavailable) as error:
            # What it has may be of something else, or it does not take the rest.
            if not resumed:
                raise
            location, offset, resumed = "", 0, False
            await backoff.wait(Temporary(error.message))
        else:
            return


async def _begin(repository: Repository, digest: str) -> str:
    async with repository.request("POST", "blobs/uploads/") as answer:
        location = answer.headers.get("Location", "")
        if not location:
            raise Unavailable(f"the registry does not say where to upload blob {digest} to")
        return urljoin(str(answer.url), location)


async def _finish(
    repository: Repository, location: str, digest: str, size: int, offset: int, body: BodyFrom
) -> None:
    target = f"{location}{'&' if '?' in location else '?'}{urlencode({'digest': digest})}"
    headers = {"Content-Length": str(size - offset), "Content-Type": "application/octet-stream"}
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
