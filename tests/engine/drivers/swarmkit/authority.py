"""A swarm's certificate authorities, also while one replaces the other.

As SwarmKit's: authorities have key identifiers, only nodes name that of who signed them.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from davit.drivers.swarmkit import pki

_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "swarm-ca")])
_HOUR = datetime.timedelta(hours=1)


@dataclass
class Authority:
    """All authorities of a swarm have one name."""

    key: ec.EllipticCurvePrivateKey
    pem: bytes

    @classmethod
    def new(cls) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        return cls(key, _pem(_sign(_NAME, key.public_key(), key, ca=True)))

    def dated(self, life: tuple[datetime.timedelta, datetime.timedelta]) -> bytes:
        """Return its certificate with other dates, as one sees it whose clock differs."""
        return _pem(_sign(_NAME, self.key.public_key(), self.key, ca=True, life=life))

    def cross_sign(self, other: Authority) -> bytes:
        """Return the other's certificate, signed by this one."""
        return _pem(_sign(_NAME, other.key.public_key(), self.key, ca=True))

    def node(
        self,
        role: str,
        *,
        node_id: str = "node1",
        between: bytes = b"",
        roots: bytes = b"",
        life: tuple[datetime.timedelta, datetime.timedelta] = (-_HOUR, _HOUR),
    ) -> pki.Credentials:
        """Return a node's key and chain. life: from and to, seen from now."""
        key = pki.new_key()
        private = serialization.load_pem_private_key(key, password=None)
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        leaf = self.issue(private.public_key(), role, node_id=node_id, life=life)
        return pki.Credentials(leaf + between, key, roots or self.pem)

    def issue(
        self,
        public: object,
        role: str,
        *,
        node_id: str = "node1",
        life: tuple[datetime.timedelta, datetime.timedelta] = (-_HOUR, _HOUR),
    ) -> bytes:
        """Return a node's certificate for a public key."""
        assert isinstance(public, ec.EllipticCurvePublicKey)
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "cluster1"),
                x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, role),
                x509.NameAttribute(NameOID.COMMON_NAME, node_id),
            ]
        )
        names = [role, node_id, *(["swarm-ca"] if role == "swarm-manager" else [])]
        return _pem(_sign(subject, public, self.key, names=names, life=life))


def _sign(
    subject: x509.Name,
    public: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    ca: bool = False,
    names: list[str] | None = None,
    life: tuple[datetime.timedelta, datetime.timedelta] = (-_HOUR, _HOUR),
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(_NAME)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + life[0])
        .not_valid_after(now + life[1])
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
    )
    if ca:
        own = x509.SubjectKeyIdentifier.from_public_key(public)
        builder = builder.add_extension(own, critical=False)
    else:
        its = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        builder = builder.add_extension(its, critical=False)
    if names:
        alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternative, critical=False)
    return builder.sign(signer, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
