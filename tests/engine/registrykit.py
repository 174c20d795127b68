"""A real registry (CNCF Distribution's ``docker-registry``) on loopback, for tests."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

USER, PASSWORD = "captain", "sesame"
# bcrypt of it, of the lowest cost.
_HTPASSWD = f"{USER}:$2b$04$abcdefghijklmnopqrstuuinwY/tkBVrn3xrxQI/TgnMHhkvl85RW\n"
_START_TIMEOUT = 20


@contextlib.contextmanager
def registry(directory: Path, *, auth: bool = False) -> Iterator[str]:
    """Yield ``127.0.0.1:PORT``. auth: only for :data:`USER`."""
    address = f"127.0.0.1:{free_port()}"
    settings: dict[str, object] = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(directory / "registry")}},
        "http": {"addr": address},
    }
    if auth:
        users = directory / "htpasswd"
        users.write_text(_HTPASSWD)
        settings["auth"] = {"htpasswd": {"realm": "the harbour", "path": str(users)}}
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
