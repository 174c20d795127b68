"""Certificates for tests: an authority, and what it signs."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_NAMES = (
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    x509.IPAddress(ipaddress.ip_address("::1")),
)

_CERT_SIGN = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


class Authority:
    """Its directory holds ca.pem, and for each name that it signs NAME/{ca,cert,key}.pem.

    bare: without the key usage that RFC 5280 wants, and that few look for.
    """

    def __init__(self, directory: Path, name: str = "davit test CA", *, bare: bool = False) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = _sign(
            self._key, self._key, _name(name), _name(name), ca=True, bare=bare
        )
        self.file = directory / "ca.pem"
        self.file.write_bytes(_pem(self._certificate))

    def sign(self, name: str, *, expired: bool = False) -> Path:
        """Make a certificate for localhost and for clients; return its directory."""
        home = self._directory / name
        home.mkdir(exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _sign(key, self._key, _name(name), self._certificate.subject, expired=expired)
        (home / "ca.pem").write_bytes(_pem(self._certificate))
        (home / "cert.pem").write_bytes(_pem(certificate))
        (home / "key.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return home


def flags(home: Path) -> list[str]:
    """davitd's flags for mutual TLS with the files of a directory."""
    return [
        "--tlsverify",
        *("--tlscacert", str(home / "ca.pem")),
        *("--tlscert", str(home / "cert.pem")),
        *("--tlskey", str(home / "key.pem")),
    ]


def client(home: Path) -> ssl.SSLContext:
    """A client that shows the certificate of a directory and trusts its authority."""
    context = ssl.create_default_context(cafile=home / "ca.pem")
    context.load_cert_chain(home / "cert.pem", home / "key.pem")
    return context


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _sign(
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    subject: x509.Name,
    issuer: x509.Name,
    *,
    ca: bool = False,
    bare: bool = False,
    expired: bool = False,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.timezone.utc)
    end = now + datetime.timedelta(minutes=-1 if expired else 24 * 60)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(_NAMES), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if ca and not bare:
        builder = builder.add_extension(_CERT_SIGN, critical=True)
    return builder.sign(signer, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
