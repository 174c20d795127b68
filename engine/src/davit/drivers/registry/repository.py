"""One repository at one registry: its manifests and blobs.

Source: OCI distribution specification v1.1; CNCF Distribution, "HTTP API V2".
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urljoin

import aiohttp
from yarl import URL

from davit.drivers.registry import challenge
from davit.drivers.registry.answers import check
from davit.drivers.registry.auth import authorization
from davit.drivers.registry.retry import Backoff, Temporary, Waiting
from davit.drivers.registry.transport import Transport, same_origin
from davit.errors import InvalidParameter, Unauthorized
from davit.model.registry import Credentials

T = TypeVar("T")

MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)
LARGEST_DOCUMENT = 8 << 20
"""Bytes of a manifest or a configuration."""

Body = Callable[[], AsyncIterator[bytes] | bytes]


@dataclass(frozen=True)
class Endpoint:
    """Where a registry answers: its URL up to ``/v2``, and the TLS settings for it."""

    url: str
    trust: ssl.SSLContext


@dataclass(frozen=True)
class Document:
    """A manifest or index, byte by byte. digest: what the registry says it is, if it does."""

    media_type: str
    digest: str
    body: bytes


class Repository:
    """path: ``library/busybox``. actions: ``pull`` or ``pull,push``, what tokens are asked for."""

    def __init__(
        self,
        transport: Transport,
        endpoint: Endpoint,
        path: str,
        credentials: Credentials,
        actions: str = "pull",
    ) -> None:
        self.path = path
        self._transport = transport
        self._endpoint = endpoint
        self._credentials = credentials
        self._scopes = [f"repository:{path}:{actions}"]
        self._authorization = ""
        self._lock = asyncio.Lock()

    async def manifest(self, reference: str) -> Document:
        """Fetch by tag or digest. Raises NotFound, Unauthorized, Forbidden, Unavailable."""

        async def fetch() -> Document:
            headers = {"Accept": ", ".join(MANIFESTS)}
            async with self.request("GET", f"manifests/{reference}", headers=headers) as answer:
                return Document(
                    answer.headers.get("Content-Type", "").partition(";")[0].strip(),
                    answer.headers.get("Docker-Content-Digest", ""),
                    await limited(answer, LARGEST_DOCUMENT, f"manifest {reference}"),
                )

        return await again(fetch)

    async def document(self, digest: str, size: int) -> bytes:
        """Fetch a small blob. The caller verifies it."""

        async def fetch() -> bytes:
            async with self.request("GET", f"blobs/{digest}") as answer:
                return await limited(answer, size, f"blob {digest}")

        return await again(fetch)

    @contextlib.asynccontextmanager
    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: Body | None = None,
        refused: bool = True,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request as who we are; path: behind the repository's name, or an URL.

        body: makes the body, again when it has to be sent twice. refused: raise what a refusal
        means (see ``answers.check``).
        """
        url = urljoin(f"{self._endpoint.url}/v2/{self.path}/", path)
        for attempt in range(2):
            # Uploads may go to another host: it is not told who we are.
            used = self._authorization if self._is_own(URL(url)) else ""
            sent = {**(headers or {}), **({"Authorization": used} if used else {})}
            async with self._transport.request(
                method,
                url,
                headers=sent,
                query=query,
                data=body() if body else None,
                trust=self._endpoint.trust,
            ) as answer:
                asks_us = answer.status == HTTPStatus.UNAUTHORIZED and self._is_own(answer.url)
                if attempt or not asks_us:
                    if refused:
                        await check(answer)
                    yield answer
                    return
                asked = challenge.parse(answer.headers.getall("WWW-Authenticate", []))
            await self._authorize(asked, used, f'{method.capitalize()} "{url}"')

    def claim(self, scope: str) -> None:
        """Ask for this scope, too, with the next token."""
        if scope not in self._scopes:
            self._scopes.append(scope)
            self._authorization = ""

    def disclaim(self, scope: str) -> None:
        """Ask for it no more. Idempotent."""
        if scope in self._scopes:
            self._scopes.remove(scope)
            self._authorization = ""

    def _is_own(self, url: URL) -> bool:
        """Whether it is the registry's own, and not one to which it has sent us on."""
        return same_origin(url, URL(self._endpoint.url))

    async def _authorize(
        self, asked: Sequence[challenge.Challenge], refused: str, place: str
    ) -> None:
        async with self._lock:
            # Of many requests that were refused together one asks for the token.
            if self._authorization != refused:
                return
            chosen = challenge.require(asked, place)
            if chosen.scheme == "basic" and not self._credentials.username:
                raise Unauthorized(f"{place}: no basic auth credentials")
            self._authorization, _ = await authorization(
                self._transport,
                chosen,
                self._credentials,
                scopes=self._scopes,
                trust=self._endpoint.trust,
            )


async def again(work: Callable[[], Awaitable[T]], waiting: Waiting = lambda _: None) -> T:
    """Do it until it works, or fails for good."""
    backoff = Backoff(waiting)
    while True:
        try:
            return await work()
        except Temporary as error:
            await backoff.wait(error)


async def limited(answer: aiohttp.ClientResponse, limit: int, name: str) -> bytes:
    """Read a body of at most so many bytes. Raises InvalidParameter for more."""
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise InvalidParameter(f"{name} is larger than {limit} bytes: it is not used")
    return bytes(body)
