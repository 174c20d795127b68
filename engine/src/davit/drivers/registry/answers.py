"""What a registry's refusals mean.

Source: OCI distribution specification v1.1, "Error Codes"; RFC 6750, section 3.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import aiohttp
import msgspec

from davit.drivers.registry import challenge
from davit.drivers.registry.retry import Temporary, after
from davit.errors import DavitError, Forbidden, NotFound, Unauthorized, Unavailable

# More than this of an error's page is nothing that a user reads.
_WORDS = 300
_LARGEST = 64 << 10
_NO_ACCESS = "requested access to the resource is denied"
_UNKNOWN = {
    "MANIFEST_UNKNOWN": "manifest unknown",
    "NAME_UNKNOWN": "name unknown",
    "BLOB_UNKNOWN": "blob unknown to registry",
}


class TooLarge(Unavailable):
    """The request's body is longer than the registry, or a proxy before it, takes."""


async def check(answer: aiohttp.ClientResponse) -> None:
    """Raise what an answer other than 2xx means.

    Unauthorized; Forbidden with ``denied: …``; NotFound with ``manifest unknown: …``,
    ``name unknown: …`` or ``blob unknown …``; Temporary; TooLarge; Unavailable for all else.
    """
    if answer.status < HTTPStatus.BAD_REQUEST:
        return
    raise _meaning(answer, await answer.content.read(_LARGEST))


def words(body: bytes | str) -> tuple[str, str]:
    """Take code and message out of an error's body, a registry's or a token server's."""
    try:
        found: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError):
        return "", ""
    if not isinstance(found, dict):
        return "", ""
    errors = found.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        found = errors[0]
    text = next((found[key] for key in ("message", "details", "error") if found.get(key)), "")
    return str(found.get("code", "")), str(text)[:_WORDS]


def _meaning(answer: aiohttp.ClientResponse, body: bytes) -> DavitError:
    code, text = words(body)
    place = f'{answer.method.capitalize()} "{answer.url}"'
    if answer.status == HTTPStatus.UNAUTHORIZED:
        asked = challenge.parse(answer.headers.getall("WWW-Authenticate", []))
        if any(entry.parameters.get("error") == "insufficient_scope" for entry in asked):
            return Forbidden(f"denied: {_NO_ACCESS}")
        return Unauthorized(f"{place}: unauthorized: {text or 'authentication required'}")
    if answer.status == HTTPStatus.FORBIDDEN or code == "DENIED":
        return Forbidden(f"denied: {text or _NO_ACCESS}")
    if answer.status == HTTPStatus.NOT_FOUND:
        name = _UNKNOWN.get(code)
        if name is None:
            name = "manifest unknown" if "/manifests/" in answer.url.path else "not found"
        return NotFound(f"{name}: {text or name}")
    reason = f"{place}: {answer.status} {answer.reason}" + (f": {text}" if text else "")
    if (
        answer.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT)
        or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    ):
        return Temporary(reason, after(answer.headers.get("Retry-After", "")))
    if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return TooLarge(reason)
    return Unavailable(reason)
