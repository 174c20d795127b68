"""What comes with the request of a classic build: there is nobody to be asked later."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from davit.errors import NotFound
from davit.model.reference import DEFAULT_DOMAIN
from davit.model.registry import AuthConfig
from davit.services.build.needs import Auths

# How clients name Docker Hub in their configuration.
_HUB = "index.docker.io"


@dataclass(frozen=True)
class Sent:
    """A ``Lender`` whose secrets (by ID) and credentials (by registry) are here."""

    secrets: Mapping[str, bytes]
    auths: Auths

    async def secret(self, name: str) -> bytes | None:
        return self.secrets.get(name)

    async def credentials(self, registry: str) -> AuthConfig:
        wanted = _HUB if registry == DEFAULT_DOMAIN else registry
        for name, auth in self.auths.items():
            host = name.split("://", 1)[-1].split("/", 1)[0]
            if (_HUB if host == DEFAULT_DOMAIN else host) == wanted:
                return auth
        return AuthConfig()

    async def has_agent(self, name: str) -> bool:
        return False

    def agent(
        self, name: str, path: Path, owner: tuple[int, int], mode: int
    ) -> AbstractAsyncContextManager[None]:
        raise NotFound(f"SSH agent {name}: nobody lends one to a classic build")
