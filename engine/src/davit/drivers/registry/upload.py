"""Putting blobs and manifests into a repository.

Source: OCI distribution specification v1.1, "Push".
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlencode

from davit.drivers.registry.repository import Body, Repository
from davit.errors import DavitError, NotFound, Unavailable


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


async def put_blob(repository: Repository, digest: str, size: int, body: Body) -> None:
    """Upload a blob in one request. Raises what the refusal means, Unavailable."""
    async with repository.request("POST", "blobs/uploads/") as answer:
        location = answer.headers.get("Location", "")
    if not location:
        raise Unavailable(f"the registry does not say where to upload blob {digest} to")
    target = f"{location}{'&' if '?' in location else '?'}{urlencode({'digest': digest})}"
    headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
    async with repository.request("PUT", target, headers=headers, body=body):
        pass


async def put_manifest(
    repository: Repository, reference: str, media_type: str, content: bytes
) -> None:
    """Put a manifest under a tag or its digest."""
    headers = {"Content-Type": media_type}
    async with repository.request(
        "PUT", f"manifests/{reference}", headers=headers, body=lambda: content
    ):
        pass
