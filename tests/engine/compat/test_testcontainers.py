"""Testcontainers for Python: its generic container, wait strategies, networks and exec."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator

import pytest
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import (
    HealthcheckWaitStrategy,
    HttpWaitStrategy,
    LogMessageWaitStrategy,
    PortWaitStrategy,
)

from tests.engine.conftest import Davitd

SITE = "mkdir -p /site; echo hello > /site/index.html; "
SERVE = "exec httpd -f -p 80 -h /site"


@pytest.fixture(autouse=True)
def engine(shared_davitd: Davitd, monkeypatch: pytest.MonkeyPatch) -> Iterator[Davitd]:
    """The engine that DOCKER_HOST names. Its reaper is an image that cannot be pulled."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{shared_davitd.socket}")
    monkeypatch.setattr(testcontainers_config, "ryuk_disabled", True)
    yield shared_davitd
    assert shared_davitd.docker("ps", "-aq").stdout == b""


def shell(script: str) -> DockerContainer:
    return DockerContainer("busybox:latest").with_command(["sh", "-c", script])


def test_wait_for_a_log_message_and_exec() -> None:
    waiting = LogMessageWaitStrategy("ready in [0-9]+ s").with_startup_timeout(30)
    script = "echo starting; sleep 1; echo ready in 1 s; exec sleep 600"
    with shell(script).with_env("COLOUR", "blue").waiting_for(waiting) as container:
        stdout, stderr = container.get_logs()
        assert (stdout, stderr) == (b"starting\nready in 1 s\n", b"")
        result = container.exec(["sh", "-c", "echo $COLOUR; exit 3"])
        assert (result.exit_code, result.output) == (3, b"blue\n")


def test_wait_for_http() -> None:
    waiting = HttpWaitStrategy(80, "/index.html").for_status_code(200).with_startup_timeout(30)
    container = shell(f"{SITE} sleep 1; {SERVE}").with_exposed_ports(80).waiting_for(waiting)
    with container:
        host, port = container.get_container_host_ip(), container.get_exposed_port(80)
        with urllib.request.urlopen(f"http://{host}:{port}/index.html", timeout=10) as answer:
            assert answer.read() == b"hello\n"


def test_wait_for_a_port() -> None:
    waiting = PortWaitStrategy(80).with_startup_timeout(30)
    with shell(f"{SITE} {SERVE}").with_exposed_ports(80).waiting_for(waiting) as container:
        assert container.get_exposed_port(80)


def test_wait_for_health() -> None:
    health = {"test": ["CMD", "test", "-e", "/ready"], "interval": 200_000_000, "retries": 100}
    waiting = HealthcheckWaitStrategy().with_startup_timeout(30)
    container = shell("sleep 1; touch /ready; exec sleep 600").with_kwargs(healthcheck=health)
    with container.waiting_for(waiting) as running:
        assert running.get_wrapped_container().health == "healthy"


def test_a_network() -> None:
    with (
        Network() as network,
        shell(f"{SITE} {SERVE}").with_network(network).with_network_aliases("site"),
        shell("exec sleep 600").with_network(network) as client,
    ):
        # Until the server listens.
        url = "http://site/index.html"
        ask = f"for n in $(seq 100); do wget -qO- {url} 2>/dev/null && break; sleep 0.1; done"
        assert client.exec(["sh", "-c", ask]).output == b"hello\n"


def test_volumes_and_files(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("mapped")
    (directory / "file").write_text("mapped\n")
    mapped = shell("exec sleep 600").with_volume_mapping(str(directory), "/mapped", "ro")
    with mapped as container:
        assert container.exec(["cat", "/mapped/file"]).output == b"mapped\n"


def test_containers_end_with_their_block(engine: Davitd) -> None:
    with pytest.raises(RuntimeError), shell("exec sleep 600"):
        raise RuntimeError
    assert engine.docker("ps", "-aq").stdout == b""
