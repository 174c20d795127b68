"""What the tests of the Docker CLI share: its programs on this machine, and a terminal for them."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
import urllib.request

import pytest

from tests.engine.conftest import Davitd

Done = subprocess.CompletedProcess[bytes]


def programs() -> dict[str, str]:
    """Each Docker CLI on this machine: version → path; the newest at hand and Debian's, mostly."""
    places = [*os.environ["PATH"].split(os.pathsep), "/usr/local/bin", "/usr/bin"]
    found: dict[str, str] = {}
    for place in dict.fromkeys(places):
        program = os.path.join(place, "docker")
        if os.access(program, os.X_OK):
            told = subprocess.run([program, "--version"], capture_output=True, text=True)
            # Docker version 20.10.24+dfsg1, build 297e128
            found.setdefault(told.stdout.split()[2].rstrip(","), program)
    return found


def needs(major: int) -> pytest.MarkDecorator:
    """For tests of what the CLI can from a version on; the one that is found first counts."""
    version = next(iter(programs()), "0")
    old = int(version.partition(".")[0]) < major
    return pytest.mark.skipif(old, reason=f"Docker's CLI is {version}, and this came with {major}")


def output(done: Done) -> str:
    return done.stdout.decode().strip()


def run(davitd: Davitd, *arguments: str) -> str:
    """Start a detached container that stays and return its ID."""
    return output(davitd.docker("run", "-d", *arguments, "busybox", "sleep", "600"))


class Terminal:
    """The CLI on a pseudo-terminal."""

    def __init__(self, davitd: Davitd, *arguments: str) -> None:
        self._main, other = pty.openpty()
        self._seen = b""
        self.process = subprocess.Popen(
            [davitd.cli, "-H", f"unix://{davitd.socket}", *arguments],
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
            env={**os.environ, "DOCKER_CONFIG": str(davitd.root / "docker"), "TERM": "xterm"},
        )
        os.close(other)

    def type(self, text: str) -> None:
        os.write(self._main, text.encode())

    def expect(self, text: str) -> None:
        """Read until the text has been shown."""
        while text.encode() not in self._seen:
            try:
                data = os.read(self._main, 4096)
            except OSError:
                data = b""
            assert data, f"{text!r} was not shown, but {self._seen!r}"
            self._seen += data
        self._seen = self._seen.partition(text.encode())[2]

    def prompt(self) -> None:
        """Press return until the shell answers; the CLI drops what was typed before it is ready."""
        while b"#" not in self._seen:
            self.type("\n")
            while select.select([self._main], [], [], 0.3)[0]:
                self._seen += os.read(self._main, 4096)
        self._seen = b""

    def end(self) -> int:
        try:
            return self.process.wait(30)
        finally:
            os.close(self._main)


def fetch(url: str) -> str:
    """Get a page from a server that may just be starting."""
    end = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
