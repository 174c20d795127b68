"""Who a client is at a registry: the header ``X-Registry-Auth``."""

from __future__ import annotations

import base64
import binascii

from davit.api.routing import Call
from davit.errors import InvalidParameter
from davit.model import codec
from davit.model.registry import AuthConfig

_HEADER = "X-Registry-Auth"
_ALPHABET = str.maketrans("-_", "+/")


def read(call: Call) -> AuthConfig:
    """Decode the header, base64url of JSON; without one nobody. Raises InvalidParameter."""
    text = call.request.headers.get(_HEADER, "")
    if not text:
        return AuthConfig()
    try:
        # Clients write it with padding and without, in both alphabets.
        plain = text.rstrip("=").translate(_ALPHABET)
        body = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
        return codec.parse(body, AuthConfig) if body.strip() != b"null" else AuthConfig()
    except (binascii.Error, InvalidParameter, ValueError):
        raise InvalidParameter(
            f"invalid {_HEADER} header: base64url of an AuthConfig in JSON is needed"
        ) from None
