"""The modules reach an engine on TCP with mutual TLS, by their options and by the environment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine import tlskit
from tests.engine.conftest import new_davitd
from tests.engine.test_hosts import free_port
from tests.engine.tlskit import Authority
from tests.integration.conftest import Fleet


class Remote:
    def __init__(self, fleet: Fleet, port: int, home: Path) -> None:
        self.fleet = fleet
        self.address = f"tcp://127.0.0.1:{port}"
        self.home = home


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    home = Authority(tmp_path_factory.mktemp("tls")).sign("both")
    port = free_port()
    with new_davitd("-H", f"tcp://127.0.0.1:{port}", *tlskit.flags(home)) as davitd:
        yield Remote(Fleet("davit", davitd.socket, davitd.client), port, home)


def test_by_options(remote: Remote) -> None:
    options = {
        "engine_host": remote.address,
        "tls": True,
        "tls_ca": str(remote.home / "ca.pem"),
        "tls_certificate": str(remote.home / "cert.pem"),
        "tls_key": str(remote.home / "key.pem"),
    }
    assert remote.fleet.apply("volume", name="by-options", **options)["changed"]
    refused = remote.fleet.run("volume", fails=True, name="x", **{**options, "tls": False})
    assert remote.address in refused["msg"]
    without = {key: value for key, value in options.items() if key not in ("tls_key", "tls_ca")}
    refused = remote.fleet.run("volume", fails=True, name="x", **without)
    assert "cannot use TLS with" in refused["msg"]


def test_by_the_environment(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(remote.home))
    made = remote.fleet.apply("volume", name="by-environment", engine_host=remote.address)
    assert made["changed"]
