"""A real registry (CNCF Distribution's ``docker-registry``) on loopback, for tests.

``push`` puts images there with requests of its own, so that a pull is not tested by a push.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.engine.imagekit import Built, compress, digest

USER, PASSWORD = "captain", "sesame"
# bcrypt of it, of the lowest cost.
_HTPASSWD = f"{USER}:$2b$04$abcdefghijklmnopqrstuuinwY/tkBVrn3xrxQI/TgnMHhkvl85RW\n"
_DOCKER = "application/vnd.docker."
_START_TIMEOUT = 20


@contextlib.contextmanager
def registry(
    directory: Path,
    *,
    auth: bool = False,
    tls: Path | None = None,
    clients: Path | None = None,
    tokens: Mapping[str, str] | None = None,
    mirrored: str = "",
) -> Iterator[str]:
    """Yield ``127.0.0.1:PORT``. auth: only for :data:`USER`.

    tls: directory with cert.pem and key.pem. clients: who must have signed a client's certificate.
    tokens: settings of a token server. mirrored: URL of a registry that it has its images from.
    """
    address = f"127.0.0.1:{free_port()}"
    front: dict[str, Any] = {"addr": address}
    if tls:
        front["tls"] = {"certificate": str(tls / "cert.pem"), "key": str(tls / "key.pem")}
        if clients:
            front["tls"] = {**front["tls"], "clientcas": [str(clients)]}
    settings: dict[str, object] = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(directory / "registry")}},
        "http": front,
        # Whether manifests may tell of layers that are elsewhere.
        "validation": {"manifests": {"urls": {"allow": ["^http"]}}},
    }
    if auth:
        users = directory / "htpasswd"
        users.write_text(_HTPASSWD)
        settings["auth"] = {"htpasswd": {"realm": "the harbour", "path": str(users)}}
    if tokens:
        settings["auth"] = {"token": dict(tokens)}
    if mirrored:
        settings["proxy"] = {"remoteurl": mirrored}
    # JSON is YAML.
    (directory / "registry.yml").write_text(json.dumps(settings))
    log = directory / "registry.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(directory / "registry.yml")],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        _wait(address, process, log)
        yield address
    finally:
        process.terminate()
        process.wait(10)


@dataclass
class Shelf:
    """A repository of a registry, ``127.0.0.1:PORT/PATH``. headers: who we are."""

    address: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.address}/{self.path}"

    def blob(self, data: bytes) -> dict[str, Any]:
        """Put a blob; return digest and size."""
        location = self.request("POST", f"/v2/{self.path}/blobs/uploads/")[1]["Location"]
        url = location.partition(self.address)[2] or location
        self.request("PUT", f"{url}&digest={digest(data)}", data)
        return {"digest": digest(data), "size": len(data)}

    def manifest(self, reference: str, document: dict[str, Any]) -> str:
        """Put a manifest or an index; return its digest."""
        body = json.dumps(document).encode()
        self.request(
            "PUT",
            f"/v2/{self.path}/manifests/{reference or digest(body)}",
            body,
            **{"Content-Type": str(document["mediaType"])},
        )
        return digest(body)

    def image(self, reference: str, built: Built, pack: Callable[[bytes], bytes] = compress) -> str:
        """Put an image as Docker does; an empty reference for its digest alone."""
        return self.manifest(
            reference,
            {
                "schemaVersion": 2,
                "mediaType": f"{_DOCKER}distribution.manifest.v2+json",
                "config": {
                    "mediaType": f"{_DOCKER}container.image.v1+json",
                    **self.blob(built.body),
                },
                "layers": [
                    {
                        "mediaType": f"{_DOCKER}image.rootfs.diff.tar.gzip",
                        **self.blob(pack(layer)),
                    }
                    for layer in built.layers
                ],
            },
        )

    def index(self, reference: str, *images: Built) -> str:
        """Put images as the platforms of one index."""
        manifests = []
        for built in images:
            made = self.image("", built)
            size = len(self.raw(made))
            manifests.append(
                {
                    "mediaType": f"{_DOCKER}distribution.manifest.v2+json",
                    "digest": made,
                    "size": size,
                    "platform": dict(built.platform),
                }
            )
        return self.manifest(
            reference,
            {
                "schemaVersion": 2,
                "mediaType": f"{_DOCKER}distribution.manifest.list.v2+json",
                "manifests": manifests,
            },
        )

    def raw(self, reference: str) -> bytes:
        """The manifest of an image, byte by byte."""
        target = f"/v2/{self.path}/manifests/{reference}"
        return self.request("GET", target, Accept=f"{_DOCKER}distribution.manifest.v2+json")[0]

    def request(
        self, method: str, target: str, body: bytes | None = None, **headers: str
    ) -> tuple[bytes, dict[str, str]]:
        connection = http.client.HTTPConnection(self.address, timeout=20)
        try:
            connection.request(method, target, body, {**self.headers, **headers})
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        assert answer.status < 400, (method, target, answer.status, data)
        return data, dict(answer.getheaders())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(address, timeout=5)
            connection.request("GET", "/")
            connection.getresponse()
            connection.close()
            return
        time.sleep(0.05)
    raise AssertionError(f"docker-registry did not start:\n{log.read_text()}")
