"""Who a client is at registries: the headers ``X-Registry-Auth`` and ``X-Registry-Config``."""

from __future__ import annotations

import base64
import binascii
from typing import TypeVar

from davit.api.routing import Call
from davit.errors import InvalidParameter
from davit.model import codec
from davit.model.registry import AuthConfig

_HEADER = "X-Registry-Auth"
CONFIG_HEADER = "X-Registry-Config"
"""Of builds: credentials by registry."""
T = TypeVar("T")

_ALPHABET = str.maketrans("-_", "+/")


def read(call: Call) -> AuthConfig:
    """Decode the header, base64url of JSON; without one nobody. Raises InvalidParameter."""
    text = call.request.headers.get(_HEADER, "")
    return decode(_HEADER, text, AuthConfig) or AuthConfig()


def decode(header: str, text: str, shape: type[T]) -> T | None:
    """Decode such a header's text, None for nothing in it. Raises InvalidParameter naming it."""
    try:
        # Clients write it with padding and without, in both alphabets.
        plain = text.rstrip("=").translate(_ALPHABET)
        body = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True).strip()
        return codec.parse(body, shape) if body not in (b"", b"null") else None
    except (binascii.Error, InvalidParameter, ValueError):
        raise InvalidParameter(f"invalid {header} header: base64url of JSON is needed") from None
