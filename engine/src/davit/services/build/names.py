"""Which of a client's credentials are for an image's registry."""

from __future__ import annotations

from davit.model.reference import DEFAULT_DOMAIN, Reference
from davit.model.registry import AuthConfig
from davit.services.build.needs import Auths

# How clients name Docker Hub in their configuration.
_HUB = "index.docker.io"


def credentials_for(reference: str, auths: Auths) -> AuthConfig:
    """Return those for the registry of an image; without any nobody's. Raises InvalidParameter."""
    wanted = Reference.parse(reference).domain
    wanted = _HUB if wanted == DEFAULT_DOMAIN else wanted
    for name, auth in auths.items():
        host = name.split("://", 1)[-1].split("/", 1)[0]
        if (_HUB if host == DEFAULT_DOMAIN else host) == wanted:
            return auth
    return AuthConfig()
