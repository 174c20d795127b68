"""What davit does at registries."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from davit.drivers.registry import challenge
from davit.drivers.registry.auth import Credentials, authorization, refuse
from davit.drivers.registry.repository import Endpoint, Repository
from davit.drivers.registry.search import search
from davit.drivers.registry.transport import Transport, hostname
from davit.model.registry import SearchResult

_HUB = "docker.io"


class RegistryClient:
    """insecure: hosts, ``host:port`` and CIDRs that are spoken to without verified TLS.

    mirrors: URLs that are asked for Docker Hub's images before it. certificates: directories with
    one for each host that has certificates of its own, the first that knows a host counts.
    """

    def __init__(
        self,
        insecure: Iterable[str] = (),
        mirrors: Iterable[str] = (),
        certificates: Iterable[Path] = (),
    ) -> None:
        self._certificates = tuple(certificates)
        self.reload(insecure, mirrors)

    def reload(self, insecure: Iterable[str], mirrors: Iterable[str]) -> None:
        """Take other settings; what is under way goes on with those that it began with."""
        self._insecure = tuple(insecure)
        self._mirrors = tuple(mirrors)

    def sources(self, domain: str) -> list[str]:
        """Return where a domain's images are pulled from, in this order: mirrors, then itself."""
        return [*(self._mirrors if domain == _HUB else ()), domain]

    @contextlib.asynccontextmanager
    async def repository(
        self, source: str, path: str, credentials: Credentials, actions: str = "pull"
    ) -> AsyncIterator[Repository]:
        """Open a repository. source: a host or one of ``sources``; actions: ``pull,push``."""
        async with self._transport() as transport:
            if "://" in source:
                # A mirror: whether it speaks TLS is said. It is not told who we are at the Hub.
                host = urlsplit(source).netloc
                _, trust = await transport.base(host)
                endpoint, credentials = Endpoint(source.rstrip("/"), trust), Credentials()
            else:
                endpoint = Endpoint(*await transport.base(hostname(source)))
            yield Repository(transport, endpoint, path, credentials, actions)

    async def login(self, address: str, credentials: Credentials) -> str:
        """Verify credentials; return a token that stands for them, empty when there is none.

        address: host, ``host:port`` or an URL, empty for Docker Hub. Raises Unauthorized with the
        registry's words, Unavailable.
        """
        async with self._transport() as transport:
            base, trust = await transport.base(hostname(address))
            url = f"{base}/v2/"
            async with transport.request("GET", url, trust=trust) as answer:
                if answer.status != HTTPStatus.UNAUTHORIZED:
                    # It wants to know nobody: as Docker does, that is a success.
                    await refuse(answer)
                    return ""
                asked = challenge.parse(answer.headers.getall("WWW-Authenticate", []))
            chosen = challenge.require(asked, url)
            value, identity = await authorization(
                transport, chosen, credentials, offline=True, trust=trust
            )
            headers = {"Authorization": value}
            async with transport.request("GET", url, headers=headers, trust=trust) as answer:
                await refuse(answer)
            return identity

    async def search(self, term: str, limit: int, credentials: Credentials) -> list[SearchResult]:
        """Search an index, see ``search.search``."""
        async with self._transport() as transport:
            return await search(transport, term, limit, credentials)

    def _transport(self) -> Transport:
        return Transport(self._insecure, self._certificates)
