"""Registries: who a client is there, and what a search finds."""

from __future__ import annotations

import msgspec

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


class SearchResult(msgspec.Struct, frozen=True, kw_only=True):
    """A repository that a search found, as the index and the API write it."""

    name: str
    description: str = ""
    star_count: int = 0
    is_official: bool = False
    is_automated: bool = False
