"""What davit does at registries."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from davit.model.registry import Credentials, SearchResult

if TYPE_CHECKING:
    from davit.drivers.registry.repository import Repository
    from davit.drivers.registry.transport import Transport

_HUB = "docker.io"


class RegistryClient:
    """All that speaks HTTP is imported by the first request: many hosts never make one.

    insecure: hosts, ``host:port`` and CIDRs that are spoken to without verified TLS.

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
        from davit.drivers.registry.repository import Endpoint, Repository
        from davit.drivers.registry.transport import hostname

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
        """Verify credentials, see ``login.login``."""
        from davit.drivers.registry.login import login

        async with self._transport() as transport:
            return await login(transport, address, credentials)

    async def search(self, term: str, limit: int, credentials: Credentials) -> list[SearchResult]:
        """Search an index, see ``search.search``."""
        from davit.drivers.registry.search import search

        async with self._transport() as transport:
            return await search(transport, term, limit, credentials)

    def _transport(self) -> Transport:
        from davit.drivers.registry.transport import Transport

        return Transport(self._insecure, self._certificates)
