"""Who a client is at registries: the headers ``X-Registry-Auth`` and ``X-Registry-Config``."""

from __future__ import annotations

from davit.api.routing import Call
from davit.model.registry import AuthConfig, decode

_HEADER = "X-Registry-Auth"
CONFIG_HEADER = "X-Registry-Config"
"""Of builds: credentials by registry."""


def read(call: Call) -> AuthConfig:
    """Decode the header, base64url of JSON; without one nobody. Raises InvalidParameter."""
    text = call.request.headers.get(_HEADER, "")
    return decode(f"{_HEADER} header", text, AuthConfig) or AuthConfig()
