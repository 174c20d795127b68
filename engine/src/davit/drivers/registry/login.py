"""Logging in to a registry: whether credentials are good there."""

from __future__ import annotations

from http import HTTPStatus

from davit.drivers.registry import challenge
from davit.drivers.registry.auth import authorization, refuse
from davit.drivers.registry.transport import Transport, hostname
from davit.model.registry import Credentials


async def login(transport: Transport, address: str, credentials: Credentials) -> str:
    """Verify credentials; return a token that stands for them, empty when there is none.

    address: host, ``host:port`` or an URL, empty for Docker Hub. Raises Unauthorized with the
    registry's words, Unavailable.
    """
    base, trust = await transport.base(hostname(address))
    url = f"{base}/v2/"
    async with transport.request("GET", url, trust=trust) as answer:
        if answer.status != HTTPStatus.UNAUTHORIZED:
            # It wants to know nobody: as Docker does, that is a success.
            await refuse(answer)
            return ""
        asked = challenge.parse(answer.headers.getall("WWW-Authenticate", []))
    chosen = challenge.require(asked, url)
    value, identity = await authorization(transport, chosen, credentials, offline=True, trust=trust)
    headers = {"Authorization": value}
    async with transport.request("GET", url, headers=headers, trust=trust) as answer:
        await refuse(answer)
    return identity
