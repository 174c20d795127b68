"""Logging in to registries, and searching them."""

from __future__ import annotations

import base64
import binascii

from msgspec.structs import replace

from davit.drivers.registry.client import RegistryClient
from davit.errors import Forbidden, InvalidParameter, Unauthorized
from davit.model.filters import Filters
from davit.model.registry import AuthConfig, Credentials, SearchResult

_LIMIT = 25
_LARGEST_LIMIT = 100


class RegistryService:
    """Who may log in where, and what is there."""

    def __init__(self, client: RegistryClient) -> None:
        self._client = client

    async def login(self, wish: AuthConfig) -> str:
        """Verify; return an identity token, empty when the registry gives none.

        Raises Unauthorized with the registry's words, Unavailable, InvalidParameter.
        """
        return await self._client.login(wish.serveraddress, credentials(wish))

    async def search(
        self, term: str, *, limit: int | None, filters: Filters, auth: AuthConfig
    ) -> list[SearchResult]:
        """Search an index. filters: ``is-automated``, ``is-official``, ``stars`` (at least).

        limit: at most 100, None for 25; before the filters. Raises InvalidParameter,
        NotSupported for a registry that cannot, Forbidden, Unavailable.
        """
        if not term:
            raise InvalidParameter("search: the parameter term is missing: say what to look for")
        wanted = limit or _LIMIT
        if not 1 <= wanted <= _LARGEST_LIMIT:
            raise InvalidParameter(f"limit {wanted} is outside the range of [1, {_LARGEST_LIMIT}]")
        official, stars = filters.flag("is-official"), _stars(filters)
        if filters.flag("is-automated"):
            # Nothing is, since Docker Hub does not tell any more.
            return []
        try:
            found = await self._client.search(term, wanted, credentials(auth))
        except Unauthorized as error:
            # It is not davit that wants to know who they are: at 401 clients ask for a password.
            raise Forbidden(f"{error.message}: log in with 'docker login'") from None
        return [
            replace(result, is_automated=False)
            for result in found
            if official in (None, result.is_official) and result.star_count >= stars
        ]


def _stars(filters: Filters) -> int:
    for text in filters.get("stars"):
        if not text.isdecimal():
            raise InvalidParameter(f"invalid filter 'stars={text}': a whole number is needed")
    return max(map(int, filters.get("stars")), default=0)


def credentials(wish: AuthConfig) -> Credentials:
    """Read the client's configuration, whichever of its forms it has. Raises InvalidParameter."""
    username, password = wish.username, wish.password
    if wish.auth and not username:
        try:
            pair = base64.b64decode(wish.auth, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise InvalidParameter("auth: base64 of USER:PASSWORD is needed") from None
        username, _, password = pair.partition(":")
    return Credentials(username, password, wish.identitytoken, wish.registrytoken)
