"""A token server for tests, in front of a real registry that believes only its signed tokens.

Source: CNCF Distribution, "Token Authentication Specification", "JWT Structure", "OAuth2".
"""

from __future__ import annotations

import base64
import json
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.engine.registrykit import PASSWORD, USER
from tests.engine.tlskit import Authority

REFRESH = "a-token-that-outlives-the-password"
_SERVICE, _ISSUER = "harbour registry", "harbour master"
# The registry goes on believing a token for so long: clocks differ.
LEEWAY = 60


@dataclass(frozen=True)
class Asked:
    """One request for a token. user: empty for nobody, None for one who is refused."""

    method: str
    parameters: Mapping[str, list[str]]
    user: str | None

    @property
    def scopes(self) -> set[str]:
        return {scope for text in self.parameters.get("scope", []) for scope in text.split()}


@dataclass
class TokenServer:
    """anybody: repositories that nobody in particular may pull from; USER may do anything but what
    is in closed. lifetime: seconds of the next tokens, the last one for all after it.
    """

    directory: Path
    anybody: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    lifetimes: list[float] = field(default_factory=lambda: [300.0])
    asked: list[Asked] = field(default_factory=list)
    given: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        authority = Authority(self.directory)
        home = authority.sign("tokens")
        certificate = x509.load_pem_x509_certificate((home / "cert.pem").read_bytes())
        self._chain = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER))
        key = serialization.load_pem_private_key((home / "key.pem").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self, parse_qs(urlsplit(self.path).query))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.answer(self, parse_qs(body.decode()))

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.settings: dict[str, str] = {
            "realm": f"http://127.0.0.1:{self.http.server_port}/token",
            "service": _SERVICE,
            "issuer": _ISSUER,
            "rootcertbundle": str(authority.file),
        }

    def answer(self, request: BaseHTTPRequestHandler, parameters: dict[str, list[str]]) -> None:
        user = _user(request.headers.get("Authorization", ""), parameters)
        asked = Asked(request.command, parameters, user)
        self.asked.append(asked)
        if user is None:
            body: dict[str, object] = {"details": "incorrect username or password"}
        else:
            lifetime = self.lifetimes.pop(0) if len(self.lifetimes) > 1 else self.lifetimes[0]
            token = self.sign(asked, lifetime)
            self.given.append(token)
            # OAuth has another name for it.
            body = {"token" if asked.method == "GET" else "access_token": token}
            if parameters.get("offline_token"):
                body["refresh_token"] = REFRESH
        data = json.dumps(body).encode()
        request.send_response(401 if user is None else 200)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    def sign(self, asked: Asked, lifetime: float = 300) -> str:
        """A token for what of it is granted."""
        now = int(time.time())
        claims = {
            "iss": _ISSUER,
            "sub": asked.user,
            "aud": _SERVICE,
            "exp": now + int(lifetime),
            "nbf": now - 2 * LEEWAY,
            "iat": now,
            "jti": uuid.uuid4().hex,
            "access": [
                {"type": kind, "name": name, "actions": self._granted(asked.user, name, actions)}
                for kind, name, actions in (scope.split(":") for scope in sorted(asked.scopes))
            ],
        }
        header = {"typ": "JWT", "alg": "ES256", "x5c": [self._chain.decode()]}
        signed = b".".join(_base64(json.dumps(part).encode()) for part in (header, claims))
        pair = decode_dss_signature(self._key.sign(signed, ec.ECDSA(hashes.SHA256())))
        signature = b"".join(number.to_bytes(32, "big") for number in pair)
        return b".".join((signed, _base64(signature))).decode()

    def _granted(self, user: str | None, name: str, actions: str) -> list[str]:
        if user:
            return [] if name in self.closed else actions.split(",")
        return ["pull"] if name in self.anybody else []

    def header(self, *scopes: str) -> dict[str, str]:
        """What requests of the tests' own show."""
        token = self.sign(Asked("GET", {"scope": list(scopes)}, USER))
        return {"Authorization": f"Bearer {token}"}


@contextmanager
def token_server(directory: Path) -> Iterator[TokenServer]:
    """Run one on loopback."""
    server = TokenServer(directory)
    thread = threading.Thread(target=server.http.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        thread.join()
        server.http.server_close()


def _user(authorization: str, parameters: Mapping[str, Any]) -> str | None:
    if parameters.get("grant_type") == ["refresh_token"]:
        return USER if parameters.get("refresh_token") == [REFRESH] else None
    if not authorization:
        return ""
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    return USER if authorization == f"Basic {pair}" else None


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
