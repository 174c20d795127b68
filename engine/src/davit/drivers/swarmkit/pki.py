"""Keys, requests and certificates of a swarm's nodes (X.509, RFC 5280; PKCS #10, RFC 2986).

A node certificate's subject is its identity: CN the node's ID, OU its role, O the cluster's ID.
All certificate authorities of a swarm are called ``CN=swarm-ca``, so who issued a certificate is
found by its signature, not by its name.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timezone

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import NameOID

from davit.errors import InvalidParameter, SystemFailure

WORKER = "swarm-worker"
_PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Credentials:
    """What a node proves itself with.

    chain: its certificate and those between it and a root, PEM; key: PKCS #8, PEM, unencrypted;
    roots: certificates of the authorities that the swarm trusts, PEM.
    """

    chain: bytes
    key: bytes
    roots: bytes

    def __repr__(self) -> str:
        """Keep the key out of logs and tracebacks."""
        return f"Credentials(chain={len(self.chain)} bytes)"


@dataclass(frozen=True)
class Identity:
    """Who the certificate says that this node is; times are aware, in UTC."""

    node_id: str
    cluster_id: str
    role: str
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True)
class Issuer:
    """Who signed a node's certificate: DER of its name and of its public key."""

    subject: bytes
    public_key: bytes


def new_key() -> bytes:
    """Return a fresh key on P-256, the curve that every SwarmKit signs; PKCS #8, PEM."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def request(key: bytes) -> bytes:
    """Return a signing request in PEM. The authority takes the public key from it, no name."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(_private(key), hashes.SHA256()).public_bytes(_PEM)


def digest(roots: bytes) -> str:
    """Return what a join token holds of the root certificates: SHA-256 of just these bytes."""
    return hashlib.sha256(roots).hexdigest()


def check_roots(roots: bytes) -> None:
    """Raises SystemFailure when these are not certificates."""
    _certificates(roots, "the manager's root certificates")


def identity(chain: bytes) -> Identity:
    """Return what a node's certificate says. Raises SystemFailure when it is none."""
    leaf = _certificates(chain, "the node's certificate")[0]
    return Identity(
        node_id=_subject(leaf, NameOID.COMMON_NAME),
        cluster_id=_subject(leaf, NameOID.ORGANIZATION_NAME),
        role=_subject(leaf, NameOID.ORGANIZATIONAL_UNIT_NAME),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
    )


def check(credentials: Credentials, now: datetime | None = None) -> Identity:
    """Check key, signatures and time of a node's certificate, and return what it says.

    Raises SystemFailure naming what is wrong and the way back.
    """
    chain = _certificates(credentials.chain, "the node's certificate")
    leaf, who = chain[0], identity(credentials.chain)
    if _public(leaf.public_key()) != _public(_private(credentials.key).public_key()):
        raise SystemFailure("swarm: the node's certificate is not that of its key")
    if issuers(credentials.chain, credentials.roots) is None:
        raise SystemFailure(
            "swarm: the node's certificate was not signed by the swarm's certificate authority: "
            "leave the swarm and join it again"
        )
    now = now or datetime.now(timezone.utc)
    if now > who.not_after:
        raise SystemFailure(
            f"swarm: the node's certificate expired at {who.not_after:%Y-%m-%d %H:%M} UTC, and "
            f"this machine's clock says {now:%Y-%m-%d %H:%M}: set the clock if it is wrong; else "
            "run `docker swarm leave --force` here, remove the node on a manager, and join again"
        )
    if now < who.not_before:
        raise SystemFailure(
            f"swarm: the node's certificate is valid from {who.not_before:%Y-%m-%d %H:%M} UTC "
            f"on, and this machine's clock says {now:%Y-%m-%d %H:%M}: set the clock"
        )
    return who


def issuers(chain: bytes, roots: bytes) -> list[Issuer] | None:
    """Return who signed the node's certificate, who signed that one, … up to a root; None: nobody.

    While the authority is replaced, the new one's certificate is signed by the old one and lies
    between; its subject and issuer have the same name.
    """
    certificates = _certificates(chain, "the node's certificate")
    trusted = _certificates(roots, "the swarm's root certificates")
    current, found = certificates[0], list[Issuer]()
    for _step in certificates:
        if (root := _signer(current, trusted)) is not None:
            return [*found, _issuer(root)]
        between = _signer(current, certificates[1:])
        if between is None:
            return None
        found.append(_issuer(between))
        current = between
    return None


def intermediates(presented: list[bytes], roots: bytes) -> bytes:
    """Return, in PEM, those certificates of a server's chain that a trusted root has signed itself.

    presented: DER, the server's own first. OpenSSL takes such a one, which names itself as its
    issuer, for a self-signed stranger, so a context must be told to trust it.
    """
    trusted = _certificates(roots, "the swarm's root certificates")
    others = (x509.load_der_x509_certificate(item) for item in presented[1:])
    return b"".join(
        other.public_bytes(_PEM)
        for other in others
        if other not in trusted and _is_authority(other) and _signer(other, trusted) is not None
    )


def further(chain: bytes) -> bytes:
    """Return the certificates behind a node's own, in PEM."""
    rest = _certificates(chain, "the node's certificate")[1:]
    return b"".join(certificate.public_bytes(_PEM) for certificate in rest)


def _signer(
    signed: x509.Certificate, candidates: list[x509.Certificate]
) -> x509.Certificate | None:
    for candidate in candidates:
        try:
            signed.verify_directly_issued_by(candidate)
        except (InvalidSignature, ValueError, TypeError):
            continue
        return candidate
    return None


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except x509.ExtensionNotFound:
        return False
    return constraints.value.ca


def _issuer(certificate: x509.Certificate) -> Issuer:
    return Issuer(certificate.subject.public_bytes(), _public(certificate.public_key()))


def _certificates(pem: bytes, what: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise SystemFailure(f"swarm: {what} cannot be read: {error}") from None


def _private(key: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        loaded = serialization.load_pem_private_key(key, password=None)
    except (ValueError, TypeError) as error:
        raise SystemFailure(f"swarm: the node's key cannot be read: {error}") from None
    if not isinstance(loaded, ec.EllipticCurvePrivateKey):
        raise InvalidParameter("swarm: the node's key is not one on an elliptic curve")
    return loaded


def _public(key: CertificatePublicKeyTypes) -> bytes:
    encode = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.DER, encode)


def _subject(certificate: x509.Certificate, name: x509.ObjectIdentifier) -> str:
    found = certificate.subject.get_attributes_for_oid(name)
    return str(found[0].value) if found else ""
