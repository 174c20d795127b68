"""A Docker daemon (Moby's dockerd) beside davit, for tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.engine.busybox import load_busybox
from tests.engine.client import Client

_START_TIMEOUT = 60


class Moby:
    """A dockerd of its own, without the default bridge: its name is the same for all daemons.

    within: a command that runs it elsewhere, as in a network namespace.
    """

    def __init__(self, root: Path, within: Sequence[str] = ()) -> None:
        self.root = root
        self.socket = root / "s"
        self.client = Client(self.socket, "v1.41")
        self.process: subprocess.Popen[bytes] | None = None
        self._within = within

    def start(self) -> None:
        """Start it and wait until the socket answers."""
        arguments = [
            *(*self._within, "dockerd", "-H", f"unix://{self.socket}"),
            *("--data-root", str(self.root / "data"), "--exec-root", str(self.root / "run")),
            *("--pidfile", str(self.root / "pid")),
            *("--bridge", "none", "--iptables=false", "--ip6tables=false"),
        ]
        path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
        with (self.root / "log").open("ab") as log:
            self.process = subprocess.Popen(
                arguments, stdout=log, stderr=log, env={**os.environ, "PATH": path}
            )
        end = time.monotonic() + _START_TIMEOUT
        while not self._answers():
            assert self.process.poll() is None, (self.root / "log").read_text()
            assert time.monotonic() < end, (self.root / "log").read_text()
            time.sleep(0.1)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def kill(self) -> None:
        """``kill -9``: nothing is tidied; its containerd dies with it."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)
        self.process = None
        # Until the machine's init has noticed, the next start would take it for one that lives.
        (self.root / "run/containerd/containerd.pid").unlink(missing_ok=True)

    def erase(self) -> None:
        """Remove its files; it has ended. It leaves what it has mounted."""
        unmount_below(self.root)
        shutil.rmtree(self.root, ignore_errors=True)

    def load_busybox(self) -> None:
        """Make the image busybox:latest."""
        load_busybox(self.client)

    def docker(self, *words: str, timeout: float = 60) -> str:
        """Run the Docker CLI against it, and return what it prints."""
        return self.pipe(*words, timeout=timeout).decode().strip()

    def pipe(self, *words: str, stdin: bytes = b"", timeout: float = 60) -> bytes:
        """Run the Docker CLI against it, for what is no text."""
        done = subprocess.run(
            ["docker", "-H", f"unix://{self.socket}", *words],
            input=stdin,
            capture_output=True,
            timeout=timeout,
        )
        assert done.returncode == 0, f"docker {words}: {done.stderr.decode()}"
        return done.stdout

    def _answers(self) -> bool:
        try:
            return self.client.get("/_ping").status == 200
        except OSError:
            return False


def unmount_below(root: Path) -> None:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    targets = [line.split()[4] for line in lines]
    for target in reversed([one for one in targets if one.startswith(f"{root}/")]):
        subprocess.run(["umount", "--lazy", target], check=False)


@contextlib.contextmanager
def new_moby() -> Iterator[Moby]:
    """A running dockerd; at the end its files are removed."""
    # Short, because a unix socket's path has 108 bytes at most.
    moby = Moby(Path(tempfile.mkdtemp(prefix="moby")))
    try:
        moby.start()
        yield moby
    finally:
        moby.stop()
        moby.erase()
