"""davitd's listeners as its users meet them: TLS, the service manager's sockets, SIGHUP."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import docker.tls
import pytest

from tests.engine import tlskit
from tests.engine.client import UnixConnection
from tests.engine.conftest import Davitd, new_davitd
from tests.engine.imagekit import busybox
from tests.engine.registrykit import Shelf, registry
from tests.engine.test_daemon import until
from tests.engine.tlskit import Authority


class Remote:
    """A davitd on TCP with mutual TLS, and the Docker CLI's way to it."""

    def __init__(self, davitd: Davitd, port: int, home: Path) -> None:
        self.davitd = davitd
        self.port = port
        self.home = home

    def docker(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["docker", "--tlsverify", "-H", f"tcp://localhost:{self.port}", *arguments],
            input=stdin,
            capture_output=True,
            timeout=60,
            env={
                **os.environ,
                "DOCKER_CERT_PATH": str(self.home),
                "DOCKER_CONFIG": str(self.davitd.root / "docker"),
            },
        )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    authority = Authority(tmp_path_factory.mktemp("tls"))
    home, port = authority.sign("both"), free_port()
    hosts = ["-H", f"tcp://127.0.0.1:{port}", "-H", f"tcp://[::1]:{port}"]
    with new_davitd(*hosts, *tlskit.flags(home)) as davitd:
        davitd.load_busybox()
        yield Remote(davitd, port, home)


def test_docker_over_tls(remote: Remote) -> None:
    done = remote.docker("run", "-i", "--rm", "busybox", "sh", "-c", "cat; echo end", stdin=b"hi\n")
    assert (done.returncode, done.stdout) == (0, b"hi\nend\n"), done.stderr
    done = remote.docker("run", "--rm", "busybox", "head", "-c", "3000000", "/dev/zero")
    assert done.stdout == bytes(3000000)
    big = os.urandom(2 << 20)
    done = remote.docker("run", "-i", "--rm", "busybox", "md5sum", stdin=big)
    expected = subprocess.run(["md5sum"], input=big, capture_output=True, check=True).stdout
    assert done.stdout == expected


def test_a_terminal_over_tls(remote: Remote) -> None:
    """``script`` gives docker the terminal that ``-t`` wants."""
    command = (
        f"docker --tlsverify -H tcp://localhost:{remote.port} run -it --rm busybox "
        "sh -c 'tty; exit 5'"
    )
    done = subprocess.run(
        ["script", "--quiet", "--return", "--command", command, "/dev/null"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        env={
            **os.environ,
            "DOCKER_CERT_PATH": str(remote.home),
            "DOCKER_CONFIG": str(remote.davitd.root / "docker"),
        },
    )
    assert done.returncode == 5, done.stdout
    assert b"/dev/pts/0" in done.stdout


def test_docker_py_over_tls(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    # requests prefers them to what it is told.
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    home = remote.home
    tls = docker.tls.TLSConfig(
        client_cert=(str(home / "cert.pem"), str(home / "key.pem")),
        ca_cert=str(home / "ca.pem"),
        verify=True,
    )
    client = docker.DockerClient(base_url=f"tcp://localhost:{remote.port}", tls=tls)
    try:
        assert client.containers.run("busybox", ["echo", "over TLS"], remove=True) == b"over TLS\n"
    finally:
        client.close()


def test_plain_http_is_not_served_on_the_tls_port(remote: Remote) -> None:
    with socket.create_connection(("127.0.0.1", remote.port), 10) as connection:
        connection.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" not in connection.recv(4096)


def test_certificates_are_renewed_by_sighup(tmp_path: Path) -> None:
    home, port = Authority(tmp_path).sign("both"), free_port()
    with new_davitd("-H", f"tcp://127.0.0.1:{port}", *tlskit.flags(home)) as davitd:
        remote = Remote(davitd, port, home)
        assert remote.docker("version").returncode == 0
        renewed = Authority(tmp_path / "next").sign("both")
        for file in renewed.iterdir():
            (home / file.name).write_bytes(file.read_bytes())
        assert remote.docker("version").returncode != 0
        os.kill(davitd.pid, signal.SIGHUP)
        until(lambda: "reload: changed" in davitd.log.read_text(), "it does not reload")
        done = remote.docker("version")
        assert done.returncode == 0, done.stderr


def test_sighup_reads_the_file_again(tmp_path: Path) -> None:
    file = tmp_path / "davit.toml"
    file.write_text('label = ["a=b"]\nmtu = 1400\n')
    with new_davitd("--config", str(file)) as davitd:
        events = UnixConnection(davitd.socket)
        events.request("GET", "/events?filters=" + '{"type":["daemon"]}')
        stream = events.getresponse()
        file.write_text('label = ["c=d"]\nmtu = 1300\nshutdown-timeout = 3\n')
        os.kill(davitd.pid, signal.SIGHUP)
        event = json.loads(stream.readline())
        events.close()
        assert (event["Type"], event["Action"]) == ("daemon", "reload")
        assert event["Actor"]["ID"] == davitd.client.get("/info").json["ID"]
        assert event["Actor"]["Attributes"]["labels"] == '["c=d"]'
        assert event["Actor"]["Attributes"]["shutdown-timeout"] == "3"
        assert davitd.client.get("/info").json["Labels"] == ["c=d"]
        until(lambda: "needs a restart of davitd: mtu" in davitd.log.read_text(), "mtu is taken")
        file.write_text("mtu = 'wide'\n")
        os.kill(davitd.pid, signal.SIGHUP)
        until(lambda: "nothing is changed" in davitd.log.read_text(), "a bad file is taken")
        assert davitd.client.get("/info").json["Labels"] == ["c=d"]


def test_sighup_changes_registries(tmp_path: Path) -> None:
    file = tmp_path / "davit.toml"
    file.write_text("")
    (tmp_path / "library").mkdir()
    with registry(tmp_path / "library") as address, new_davitd("--config", str(file)) as davitd:
        Shelf(address, "library/harbour").image("latest", busybox())
        file.write_text(
            f'registry-mirror = ["http://{address}"]\ninsecure-registry = ["10.0.0.0/8"]\n'
        )
        os.kill(davitd.pid, signal.SIGHUP)
        until(lambda: "reload: changed" in davitd.log.read_text(), "it does not reload")
        shown = davitd.client.get("/info").json["RegistryConfig"]
        assert shown["Mirrors"] == [f"http://{address}/"]
        assert "10.0.0.0/8" in shown["InsecureRegistryCIDRs"]
        # What it says is what it does.
        davitd.docker("pull", "harbour")


def test_sigusr1_tells_what_goes_on(davitd: Davitd) -> None:
    os.kill(davitd.pid, signal.SIGUSR1)
    until(lambda: " threads\n" in davitd.log.read_text(), "nothing is told")
    assert "in _serve" in davitd.log.read_text()


# Runs davitd as systemd does: sockets from number 3 on, told by the environment.
_ACTIVATE = """
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "api"}
os.execv(sys.executable, [sys.executable, "-m", "davit", *sys.argv[2:]])
"""


def test_the_service_managers_socket(davitd: Davitd) -> None:
    davitd.stop()
    path = davitd.root / "activated"
    flags = ["--data-root", str(davitd.data), "--run-root", str(davitd.run), "-H", "fd://api"]
    with davitd.log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _ACTIVATE, str(path), *flags], stdout=log, stderr=log
        )
    try:
        until(path.exists, "no socket")
        # The kernel keeps the request until davitd is ready.
        connection = UnixConnection(path)
        until(lambda: _connects(connection), "nobody listens")
        connection.request("GET", "/_ping")
        assert connection.getresponse().read() == b"OK"
        connection.close()
    finally:
        process.terminate()
        assert process.wait(30) == 0
    assert path.exists()


def _connects(connection: UnixConnection) -> bool:
    try:
        connection.connect()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["-H", "tcp://0.0.0.0:0"], "use --tlsverify, or say --tls=false"),
        (["-H", "tcp://127.0.0.1:0", "--tls", "--tlscert=/no/such"], "cannot read /no/such"),
    ],
)
def test_a_listener_that_cannot_be(tmp_path: Path, flags: list[str], words: str) -> None:
    roots = ["--data-root", str(tmp_path / "d"), "--run-root", str(tmp_path / "r")]
    argv = [sys.executable, "-m", "davit", *roots]
    began = time.monotonic()
    done = subprocess.run([*argv, *flags], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, time.monotonic() - began
    assert words in done.stderr
    subprocess.run([*argv, "erase"], check=True, timeout=60)
