"""Registries: who a client is there, and what a search finds."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from davit.errors import InvalidParameter
from davit.model import codec

T = TypeVar("T")
_ALPHABET = str.maketrans("-_", "+/")

LOOPBACK = ("127.0.0.0/8", "::1/128")
"""What is always spoken to without verified TLS, as with Docker."""


class AuthConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The body of ``POST /auth``, and of the header ``X-Registry-Auth``.

    serveraddress: host, ``host:port`` or an URL; empty for Docker Hub. identitytoken: a token that
    a former login gave, in place of the password.
    """

    username: str = ""
    password: str = ""
    email: str = ""
    auth: str = ""
    serveraddress: str = ""
    identitytoken: str = ""
    registrytoken: str = ""


@dataclass(frozen=True)
class Credentials:
    """identity_token: a refresh token in place of the password. registry_token: used as it is."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        pair = f"{self.username}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


class SearchResult(msgspec.Struct, frozen=True, kw_only=True):
    """A repository that a search found, as the index and the API write it."""

    name: str
    description: str = ""
    star_count: int = 0
    is_official: bool = False
    is_automated: bool = False


def decode(what: str, text: str, shape: type[T]) -> T | None:
    """Decode base64url of JSON, None for nothing in it. Raises InvalidParameter for a bad ``what``.

    The message has nothing of the text.
    """
    try:
        # Clients write it with padding and without, in both alphabets.
        plain = text.rstrip("=").translate(_ALPHABET)
        body = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True).strip()
        return codec.parse(body, shape) if body not in (b"", b"null") else None
    except (binascii.Error, InvalidParameter, ValueError):
        raise InvalidParameter(f"invalid {what}: base64url of JSON is needed") from None
