"""Whom a registry's host is trusted by, and who we are to it: ``certs.d/<host[:port]>/``.

``*.crt`` are authorities besides the machine's own; ``NAME.cert`` with ``NAME.key`` is a client
certificate. Source: Docker, "Verify repository client with certificates".
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from pathlib import Path

from davit.errors import InvalidParameter
from davit.sys.tls import client_context


def load(directories: Iterable[Path], host: str, *, verify: bool) -> ssl.SSLContext:
    """Return the TLS settings for a host; the first directory that knows it counts. Blocks.

    Raises InvalidParameter naming the file that is missing or wrong.
    """
    # Not aiohttp's own context: davitd keeps the machine's certificates out of that one.
    context = client_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    # What comes out of a request cannot lead out of the directory.
    known = (path / host for path in directories if "/" not in host and host not in (".", ".."))
    directory = next((path for path in known if path.is_dir()), None)
    for file in sorted(directory.iterdir()) if directory else ():
        try:
            if file.suffix == ".crt":
                context.load_verify_locations(file)
            elif file.suffix == ".cert":
                context.load_cert_chain(file, _partner(file, ".key"))
            elif file.suffix == ".key":
                _partner(file, ".cert")
        except (OSError, ssl.SSLError) as error:
            raise InvalidParameter(f"the certificate {file} cannot be used: {error}") from None
    return context


def _partner(file: Path, suffix: str) -> Path:
    partner = file.with_suffix(suffix)
    if not partner.exists():
        raise InvalidParameter(
            f"missing {partner.name} for {file.name} in {file.parent}: "
            "a client certificate needs NAME.cert and NAME.key"
        )
    return partner
