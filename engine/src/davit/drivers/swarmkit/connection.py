"""A connection to a manager: gRPC over TLS, in pure Python.

Managers before Moby 28 do not answer ALPN, which ``grpcio`` insists on and ``grpclib`` does not.
A manager's certificate never names an address, only its roles.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

from grpclib.client import Channel
from grpclib.config import Configuration
from grpclib.const import Status
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError

from davit.drivers.swarmkit import pki
from davit.errors import (
    DavitError,
    Forbidden,
    InvalidParameter,
    NotFound,
    NotSupported,
    SystemFailure,
    Unavailable,
)

JOINING = "swarm-ca"
"""The name under which a manager is verified by a node without a certificate."""
MANAGER = "swarm-manager"

_CONNECT_SECONDS = 5.0
# What a manager says of a certificate that it does not take (RFC 8446, section 6.2), as OpenSSL's
# reasons end, and what to do. Go says of one that is not valid yet that it has expired, and before
# Go 1.20 of any that it is bad; OpenSSL calls one that is not valid yet bad.
_REJOIN = (
    "leave the swarm here (`docker swarm leave --force`), remove the node on a manager, and join "
    "again"
)
_ALERTS = {
    "CERTIFICATE_EXPIRED": "expired, or not valid yet, by the manager's clock: set the clock that "
    f"is wrong; if none is, {_REJOIN}",
    "BAD_CERTIFICATE": "bad: expired, or not valid yet, by the manager's clock, or not signed by "
    f"its swarm: set the clock that is wrong; if none is, {_REJOIN}",
    "UNKNOWN_CA": "one that its swarm's certificate authority has not signed: another swarm lives "
    f"at this address, or the authority was replaced while this node was away: {_REJOIN}",
}
# X509_V_ERR_CERT_NOT_YET_VALID and …_HAS_EXPIRED, <openssl/x509_vfy.h>.
_WRONG_TIME = (9, 10)
_KINDS: dict[Status, type[DavitError]] = {
    Status.INVALID_ARGUMENT: InvalidParameter,
    Status.NOT_FOUND: NotFound,
    Status.PERMISSION_DENIED: Forbidden,
    Status.UNAUTHENTICATED: Forbidden,
    Status.UNIMPLEMENTED: NotSupported,
    Status.ABORTED: Unavailable,
    Status.CANCELLED: Unavailable,
    Status.DEADLINE_EXCEEDED: Unavailable,
    Status.UNAVAILABLE: Unavailable,
}


@dataclass(frozen=True)
class Presented:
    """What a manager shows to anyone.

    chain: its certificates, DER, its own first. local_address: of this machine, on the way to it.
    """

    chain: list[bytes]
    local_address: str


@contextlib.asynccontextmanager
async def connect(
    address: str, name: str, roots: bytes, credentials: pki.Credentials | None = None
) -> AsyncIterator[Channel]:
    """Connect to the manager at ``host:port`` and verify it; close at the end.

    The first call connects, so it is the one that fails when the manager is another. Its chain
    is looked at beforehand, because while a swarm's authority is replaced, the certificates that
    link the new one to the old one have to be trusted by hand (see ``pki.intermediates``).
    """
    seen = await look(address, credentials)
    between = pki.intermediates(seen.chain, roots)
    context = await asyncio.to_thread(_verifying, roots + between, credentials)
    host, port = _split(address)
    channel = Channel(host, port, ssl=context, config=Configuration(ssl_target_name_override=name))
    try:
        yield channel
    finally:
        channel.close()


@contextlib.asynccontextmanager
async def connect_unverified(address: str) -> AsyncIterator[Channel]:
    """Connect to a manager of which nothing is known; what it says is checked by its digest."""
    host, port = _split(address)
    channel = Channel(host, port, ssl=_blind())
    try:
        yield channel
    finally:
        channel.close()


async def look(address: str, credentials: pki.Credentials | None = None) -> Presented:
    """Return what a manager presents, believing nothing of it. Raises Unavailable.

    credentials: what the manager shall look at, and take.
    """
    host, port = _split(address)
    context = await asyncio.to_thread(_blind, credentials)
    with failures(address):
        reader, writer = await asyncio.wait_for(
            asyncio.open_connection(host, port, ssl=context, server_hostname=JOINING),
            _CONNECT_SECONDS,
        )
        try:
            if credentials is not None:
                # For a client of TLS 1.3 the handshake is over before the server has seen its
                # certificate. Refused, it is told by the first read. It has to come before any
                # write: what the server does not read any more has the kernel reset the connection.
                await asyncio.wait_for(reader.read(1), _CONNECT_SECONDS)
            local = writer.get_extra_info("sockname")
            if local is None:
                raise ConnectionResetError("it hangs up at once")
            return Presented(_chain(writer.get_extra_info("ssl_object")), str(local[0]))
        finally:
            writer.close()


@contextlib.contextmanager
def failures(address: str) -> Iterator[None]:
    """Turn what gRPC, TLS and the network raise into davit's kinds, naming the manager.

    Unavailable is what may pass by itself.
    """
    try:
        yield
    except GRPCError as error:
        kind = _KINDS.get(error.status, SystemFailure)
        raise kind(f"swarm manager {address}: {error.message or error.status.name}") from error
    except ssl.SSLCertVerificationError as error:
        if error.verify_code in _WRONG_TIME:
            now = datetime.now(timezone.utc)
            raise Unavailable(
                f"swarm manager {address}: its certificate is not valid at {now:%Y-%m-%d %H:%M} "
                f"UTC, this machine's time: {error.verify_message}: set the clock, here or there"
            ) from error
        raise Forbidden(
            f"swarm manager {address}: its certificate is not of this swarm: {error.verify_message}"
        ) from error
    except (asyncio.TimeoutError, TimeoutError) as error:
        raise Unavailable(
            f"swarm manager {address} does not answer: is it up, and does a firewall let TCP "
            "through to this port?"
        ) from error
    except (OSError, StreamTerminatedError, ProtocolError) as error:
        raise Unavailable(
            f"swarm manager {address} cannot be spoken to: {_reason(error)}"
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        alert = (error.reason or "").rpartition("ALERT_")[2]
        if alert in _ALERTS:
            now = f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M}"
            return (
                f"at {now} UTC, this machine's time, it refuses this node's certificate as "
                f"{_ALERTS[alert]}"
            )
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _blind(credentials: pki.Credentials | None = None) -> ssl.SSLContext:
    """Blocking with credentials."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    if credentials is not None:
        _load(context, credentials)
    return context


def _verifying(trusted: bytes, credentials: pki.Credentials | None) -> ssl.SSLContext:
    """Blocking."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.set_alpn_protocols(["h2"])
    if credentials is not None:
        trusted += pki.further(credentials.chain)
        _load(context, credentials)
    context.load_verify_locations(cadata=trusted.decode("ascii"))
    return context


def _load(context: ssl.SSLContext, credentials: pki.Credentials) -> None:
    """Load the node's certificate; OpenSSL reads it from a file, which only memory holds."""
    descriptor = os.memfd_create("swarm-node", os.MFD_CLOEXEC)
    with open(descriptor, "wb") as file:
        file.write(credentials.chain + b"\n" + credentials.key)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")


def _chain(connection: ssl.SSLObject) -> list[bytes]:
    if hasattr(connection, "get_unverified_chain"):  # Python 3.13
        return list(connection.get_unverified_chain())
    # Before that the chain is there too, but only on the object below, which has no public name.
    import _ssl

    chain = connection._sslobj.get_unverified_chain()  # type: ignore[attr-defined]
    return [certificate.public_bytes(_ssl.ENCODING_DER) for certificate in chain or ()]


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
