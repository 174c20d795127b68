"""What davit does at a registry."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from davit.drivers.registry import challenge
from davit.drivers.registry.auth import Credentials, authorization, refuse
from davit.drivers.registry.transport import Transport, hostname
from davit.errors import Unavailable


class RegistryClient:
    """insecure: hosts, ``host:port`` and CIDRs that are spoken to without verified TLS."""

    def __init__(self, insecure: Iterable[str] = ()) -> None:
        self._insecure = tuple(insecure)

    async def login(self, address: str, credentials: Credentials) -> str:
        """Verify credentials; return a token that stands for them, empty when there is none.

        address: host, ``host:port`` or an URL, empty for Docker Hub. Raises Unauthorized with the
        registry's words, Unavailable.
        """
        async with Transport(self._insecure) as transport:
            base, verify = await transport.base(hostname(address))
            url = f"{base}/v2/"
            async with transport.request("GET", url, verify=verify) as answer:
                if answer.status != HTTPStatus.UNAUTHORIZED:
                    # It wants to know nobody: as Docker does, that is a success.
                    await refuse(answer)
                    return ""
                asked = challenge.parse(answer.headers.getall("WWW-Authenticate", []))
            chosen = challenge.choose(asked)
            if chosen is None:
                schemes = ", ".join(entry.scheme for entry in asked) or "nothing"
                raise Unavailable(f"{url} asks for {schemes}: davit knows Basic and Bearer")
            value, identity = await authorization(
                transport, chosen, credentials, offline=True, verify=verify
            )
            headers = {"Authorization": value}
            async with transport.request("GET", url, headers=headers, verify=verify) as answer:
                await refuse(answer)
            return identity
