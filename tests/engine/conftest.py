"""Fixtures of the engine's tests: a real davitd on roots of its own, and a guard on the loop."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from blockbuster import BlockBuster, blockbuster_ctx

from davit.config import Settings
from tests.engine.busybox import load_busybox
from tests.engine.client import Client
from tests.engine.mobykit import Moby, new_moby

_START_TIMEOUT = 60


class Davitd:
    """A daemon as a subprocess, and what may be asked about what it leaves in the kernel."""

    def __init__(self, root: Path, *flags: str) -> None:
        self.root = root
        self.data = root / "data"
        self.run = root / "run"
        self.socket = root / "s"
        self.log = root / "log"
        self.flags = flags
        self.cli = "docker"
        self.environment: dict[str, str] = {}
        self.settings = Settings(data_root=self.data, run_root=self.run)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def client(self) -> Client:
        return Client(self.socket)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        """Start it and wait until the socket answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self._argv(), "-H", f"unix://{self.socket}", "-D", *self.flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
            )
        end = time.monotonic() + _START_TIMEOUT
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            with contextlib.suppress(OSError):
                if self.client.get("/_ping").status == 200:
                    return
            time.sleep(0.02)
        raise AssertionError(f"davitd did not start:\n{self.log.read_text()}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it and return its exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        status = self.process.wait(30)
        self.process = None
        return status

    def kill(self) -> None:
        """``kill -9``: nothing is tidied."""
        self.stop(signal.SIGKILL)

    def erase(self, *, data: bool = True) -> None:
        """Remove everything it has on this machine."""
        flags = ["--data"] if data else []
        subprocess.run([*self._argv("erase"), *flags], check=True, timeout=60)

    def docker(
        self, *arguments: str, check: bool = True, stdin: bytes = b"", timeout: float = 60
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the Docker CLI against it."""
        done = subprocess.run(
            [self.cli, "-H", f"unix://{self.socket}", *arguments],
            input=stdin,
            capture_output=True,
            timeout=timeout,
            env={**os.environ, "DOCKER_CONFIG": str(self.root / "docker")},
        )
        if check and done.returncode:
            raise AssertionError(f"docker {arguments}: {done.returncode}: {done.stderr.decode()}")
        return done

    def load_busybox(self) -> None:
        """Make the image busybox:latest."""
        load_busybox(self.client)

    def left_behind(self) -> list[str]:
        """Name everything in the kernel that carries this instance's marks."""
        root, instance = str(self.root), self.settings.instance
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        found = [f"mount {line.split()[4]}" for line in mounts if f"{root}/" in line]
        found += [f"link {name}" for name in _links() if instance in name]
        found += [f"table {name}" for name in _tables() if instance in name]
        found += [f"process {line}" for line in _processes() if f"{root}/" in line]
        hierarchies = (Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").iterdir())
        groups = [hierarchy / f"davit-{instance}" for hierarchy in hierarchies]
        found += [f"cgroup {group}" for group in groups if group.exists()]
        return found

    def _argv(self, command: str = "serve") -> list[str]:
        return [
            sys.executable,
            "-m",
            "davit",
            command,
            *("--data-root", str(self.data), "--run-root", str(self.run)),
        ]


@contextlib.contextmanager
def new_davitd(*flags: str, kind: type[Davitd] = Davitd) -> Iterator[Davitd]:
    """A running daemon; at the end everything is erased, and that is checked."""
    # Short, because a unix socket's path has 108 bytes at most.
    root = Path(tempfile.mkdtemp(prefix="dv"))
    root.chmod(0o711)  # as what holds the roots is on a host; remapped users have to pass
    daemon = kind(root, *flags)
    try:
        daemon.start()
        yield daemon
    finally:
        try:
            if daemon.process is not None and daemon.process.poll() is None:
                daemon.stop()
            log = daemon.log.read_text()
            daemon.erase()
            left = daemon.left_behind()
        finally:
            shutil.rmtree(root, ignore_errors=True)
    assert not left, "\n".join(left)
    assert "Traceback" not in log, log
    assert "never awaited" not in log, log


@pytest.fixture
def davitd() -> Iterator[Davitd]:
    """A fresh daemon for one test."""
    with new_davitd() as daemon:
        yield daemon


@pytest.fixture(scope="module")
def shared_davitd() -> Iterator[Davitd]:
    """A daemon with the image busybox for the tests of one module."""
    with new_davitd() as daemon:
        daemon.load_busybox()
        yield daemon


@pytest.fixture(scope="session")
def moby() -> Iterator[Moby]:
    """The peer: one for all tests, with the image busybox."""
    with new_moby() as daemon:
        daemon.load_busybox()
        yield daemon


@pytest.fixture
def blockbuster() -> Iterator[BlockBuster]:
    """Make blocking calls in the event loop fail, for tests that run services in process."""
    with blockbuster_ctx() as armed:
        yield armed


def _links() -> list[str]:
    shown = subprocess.run(["ip", "-j", "link"], capture_output=True, check=True).stdout
    return [link["ifname"] for link in json.loads(shown)]


def _tables() -> list[str]:
    shown = subprocess.run(["nft", "-j", "list", "tables"], capture_output=True, check=True).stdout
    entries = json.loads(shown)["nftables"]
    return [entry["table"]["name"] for entry in entries if "table" in entry]


def _processes() -> list[str]:
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return lines
