"""TLS as a client, with certificates checked as Docker's users know it."""

from __future__ import annotations

import ssl


def client_context(authorities: str | None = None) -> ssl.SSLContext:
    """Return settings that verify the server's certificate. Blocks.

    authorities: path of a PEM file; None for the machine's own. Raises OSError (ssl.SSLError is
    one) when the file cannot be used.

    From Python 3.13 on a certificate must have all that RFC 5280 section 4.2.1 asks for. Docker
    is content without, and authorities made by hand often lack a key usage, so we are as well.
    """
    context = ssl.create_default_context(cafile=authorities)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
