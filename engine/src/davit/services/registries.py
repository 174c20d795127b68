"""Logging in to registries."""

from __future__ import annotations

import base64
import binascii

from davit.drivers.registry.auth import Credentials
from davit.drivers.registry.client import RegistryClient
from davit.errors import InvalidParameter
from davit.model.registry import AuthConfig


class RegistryService:
    """Who may log in where."""

    def __init__(self, client: RegistryClient) -> None:
        self._client = client

    async def login(self, wish: AuthConfig) -> str:
        """Verify; return an identity token, empty when the registry gives none.

        Raises Unauthorized with the registry's words, Unavailable, InvalidParameter.
        """
        return await self._client.login(wish.serveraddress, credentials(wish))


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
