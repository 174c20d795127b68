"""Why a registry gave no answer: in the words of Docker, and with what helps.

Source of the words: Go's ``net``, ``net/http`` and ``crypto/x509``, which Docker passes on.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

import aiohttp
from yarl import URL

# In the name of what TLS ends a connection with (RFC 8446, section 6), as OpenSSL writes it.
_ALERT = "alert"
# Results of X509_verify_cert(3).
_EXPIRED, _NOT_YET_VALID = 10, 9
_OTHER_NAMES = (62, 64)
_HELP = {
    errno.ECONNREFUSED: "is the registry running, and is this its port?",
    errno.EHOSTUNREACH: "check its address, and the firewalls on the way",
    errno.ENETUNREACH: "check its address, and this host's routes",
    errno.ETIMEDOUT: "check its address, and the firewalls on the way",
}


def refuses_us(error: BaseException) -> bool:
    """Whether it wants another certificate from us: then it will want it the next time, too."""
    return _ALERT in str(error).lower()


def reason(error: BaseException, url: str, certificates: Sequence[Path]) -> str:
    """Say why there was no answer. certificates: the directories of ``certs.d``."""
    place = _place(URL(url, encoded=True))
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _distrusted(error.certificate_error, place, certificates)
    if isinstance(error, aiohttp.ClientConnectorSSLError) and not refuses_us(error):
        return (
            "http: server gave HTTP response to HTTPS client: the server does not speak TLS: if it "
            f"may do so, add {place} to insecure-registry"
        )
    if isinstance(error, aiohttp.ClientConnectorError):
        return _unreached(error.os_error, f"{error.host}:{error.port}", error.host)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return f"dial tcp {place}: i/o timeout: {_HELP[errno.ETIMEDOUT]}"
    if isinstance(error, asyncio.TimeoutError):
        return f"{place} did not answer in time: i/o timeout: try again later"
    text = str(error) or type(error).__name__
    if refuses_us(error) and "certificate" in text.lower():
        return (
            "it wants a client certificate, or another one: put NAME.cert and NAME.key into "
            f"{_directory(certificates, place)}: {text}"
        )
    return text


def _place(url: URL) -> str:
    return url.authority.rpartition("@")[2]


def _directory(certificates: Sequence[Path], place: str) -> Path | str:
    return certificates[0] / place if certificates else f"its directory in certs.d ({place})"


def _unreached(error: OSError, place: str, host: str) -> str:
    """place: of the connection, which may be a proxy's."""
    if isinstance(error, socket.gaierror):
        if error.errno == socket.EAI_AGAIN:
            return f"dial tcp: lookup {host}: server misbehaving: check this host's DNS servers"
        return f"dial tcp: lookup {host}: no such host: check the name, and this host's DNS servers"
    if error.errno is None:
        return f"dial tcp {place}: {error}"
    words = os.strerror(error.errno)
    advice = _HELP.get(error.errno)
    return f"dial tcp {place}: connect: {words[:1].lower()}{words[1:]}" + (
        f": {advice}" if advice else ""
    )


def _distrusted(error: Exception, place: str, certificates: Sequence[Path]) -> str:
    code, said = 0, str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        code, said = error.verify_code, error.verify_message
    if code in (_EXPIRED, _NOT_YET_VALID):
        words, advice = (
            "certificate has expired or is not yet valid",
            "renew it, or set this host's clock",
        )
    elif code in _OTHER_NAMES:
        words = f"certificate is not valid for {place}"
        advice = "use a name that is in it"
    else:
        words = "certificate signed by unknown authority"
        advice = f"put the authority's certificate into {_directory(certificates, place)} as ca.crt"
    return f"the certificate is not trusted: x509: {words}: {said}: {advice}"
