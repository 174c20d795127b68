"""Searching an index for repositories: Docker Hub's, or that of a registry which has one.

Source: Docker Registry API v1, "Search" (``GET /v1/search?q=TERM&n=LIMIT``).
"""

from __future__ import annotations

from http import HTTPStatus

import aiohttp
import msgspec

from davit.drivers.registry import challenge
from davit.drivers.registry.answers import check
from davit.drivers.registry.auth import authorization
from davit.drivers.registry.repository import LARGEST_DOCUMENT, limited
from davit.drivers.registry.transport import Transport
from davit.errors import InvalidParameter, NotSupported, Unauthorized
from davit.model.registry import Credentials, SearchResult

_HUB = "index.docker.io"
_HUB_NAMES = ("docker.io", _HUB)
_SCOPE = "registry:catalog:search"
_NO_INDEX = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED)


class _Page(msgspec.Struct):
    results: list[SearchResult] | None = None


async def search(
    transport: Transport, term: str, limit: int, credentials: Credentials
) -> list[SearchResult]:
    """Return what an index finds. term: as a user writes it, ``[host[:port]/]words``.

    Raises NotSupported for a registry that cannot, InvalidParameter, Unauthorized, Unavailable.
    """
    host, words = place(term)
    base, trust = await transport.base(host)
    url, query = f"{base}/v1/search", {"q": words, "n": str(limit)}
    async with transport.request("GET", url, query=query, trust=trust) as answer:
        if answer.status != HTTPStatus.UNAUTHORIZED:
            return await _read(answer, host)
        asked = challenge.parse(answer.headers.getall("WWW-Authenticate", []))
    chosen = challenge.require(asked, f'Get "{url}"')
    if chosen.scheme == "basic" and not credentials.username:
        raise Unauthorized(f'Get "{url}": no basic auth credentials')
    value, _ = await authorization(transport, chosen, credentials, scopes=[_SCOPE], trust=trust)
    headers = {"Authorization": value}
    async with transport.request("GET", url, query=query, headers=headers, trust=trust) as answer:
        return await _read(answer, host)


def place(term: str) -> tuple[str, str]:
    """Return the index that is asked, and for what. Raises InvalidParameter.

    >>> place("library/busybox"), place("registry.example:5000/team/box")
    (('index.docker.io', 'busybox'), ('registry.example:5000', 'team/box'))
    """
    if "://" in term:
        raise InvalidParameter(
            f"invalid repository name: repository name ({term}) should not have a scheme"
        )
    host, slash, words = term.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, words = _HUB, term
    if host in _HUB_NAMES:
        return _HUB, words.removeprefix("library/")
    return host.lower(), words


async def _read(answer: aiohttp.ClientResponse, host: str) -> list[SearchResult]:
    if answer.status in _NO_INDEX:
        raise _refusal(host, f"it answers {answer.status} {answer.reason} to GET /v1/search")
    await check(answer)
    body = await limited(answer, LARGEST_DOCUMENT, f"list of what {host} finds")
    try:
        return msgspec.json.decode(body, type=_Page).results or []
    except msgspec.MsgspecError:
        raise _refusal(host, "what it answers to GET /v1/search is no list") from None


def _refusal(host: str, reason: str) -> NotSupported:
    return NotSupported(
        f"registry {host} cannot be searched: {reason}: pull what you know by name, or leave the "
        "host out to search Docker Hub"
    )
