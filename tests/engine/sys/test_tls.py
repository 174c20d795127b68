"""Which certificates a client is content with."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from davit.sys.tls import client_context
from tests.engine.tlskit import Authority


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    """Raises SSLCertVerificationError when the client refuses the certificate of localhost."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    asks = client.wrap_bio(back, there, server_hostname="localhost")
    answers = server.wrap_bio(there, back, server_side=True)
    waiting = [asks, answers]
    while waiting:
        side = waiting.pop(0)
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            waiting.append(side)


@pytest.fixture
def server(tmp_path: Path) -> ssl.SSLContext:
    """It has a certificate of an authority that has no key usage."""
    home = Authority(tmp_path, bare=True).sign("server")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(home / "cert.pem", home / "key.pem")
    return context


def test_an_authority_without_key_usage(
    server: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = ssl.create_default_context

    def strict(**options: Any) -> ssl.SSLContext:
        """As Python 3.13 does."""
        context = make(**options)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)
    authority = str(tmp_path / "ca.pem")
    with pytest.raises(ssl.SSLCertVerificationError, match="key usage"):
        shake_hands(strict(cafile=authority), server)
    shake_hands(client_context(authority), server)


def test_an_unknown_authority(server: ssl.SSLContext, tmp_path: Path) -> None:
    stranger = Authority(tmp_path / "other").file
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(client_context(str(stranger)), server)
