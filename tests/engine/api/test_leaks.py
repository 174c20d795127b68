"""Clients that go away in the middle: davitd holds nothing for them afterwards.

What it holds is counted from outside, in /proc: descriptors by kind, threads, children; and its
tasks, which it tells in ``info``.
"""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine.api.test_streams import make_exec
from tests.engine.busybox import busybox_tar
from tests.engine.conftest import Davitd
from tests.engine.services.build.conftest import context
from tests.engine.test_daemon import create, remove, start, until

_ROUNDS = 5
# asyncio's pool of threads grows up to this and is kept (concurrent.futures).
_DOCKERFILE = """\
FROM busybox AS made
COPY a /a
FROM busybox
RUN --mount=target=/context --mount=target=/open,rw --mount=from=made,target=/image \\
    --mount=type=cache,sharing=locked,target=/cache --mount=type=secret,id=s \\
    echo sleeps; sleep 600
"""
_POOL = min(32, (os.cpu_count() or 1) + 4)


class Held:
    """What davitd holds."""

    def __init__(self, davitd: Davitd) -> None:
        own = Path(f"/proc/{davitd.pid}")
        # Looked at before davitd is asked: that connection is none of what is to be counted.
        self.descriptors = Counter[str]()
        for entry in own.glob("fd/*"):
            with contextlib.suppress(FileNotFoundError):
                link = os.readlink(entry)
                self.descriptors[link if link.startswith("anon") else link.partition(":")[0]] += 1
        # A pool of ready network namespaces is filled when there is time for it.
        self.descriptors.pop("net", None)
        self.threads = len(list((own / "task").iterdir()))
        self.mounts = {
            line.split()[4]
            for line in (own / "mountinfo").read_text().splitlines()
            if f"{davitd.root}/" in line
        }
        places = (davitd.data / "ingest", davitd.data / "containers", davitd.run / "secrets")
        self.files = [name for place in places if place.exists() for name in os.listdir(place)]
        self.children = (own / f"task/{davitd.pid}/children").read_text().split()
        info = davitd.client.get("/info").json
        self.tasks = info["NGoroutines"]
        self.followers = info["NEventsListener"]

    def more_than(self, before: Held) -> dict[str, object]:
        """What there is beyond what there was. (Less is no leak: something had not ended yet.)"""
        more: dict[str, object] = {
            "descriptors": self.descriptors - before.descriptors,
            "mounts": self.mounts - before.mounts,
            "files": set(self.files) - set(before.files),
            "children": set(self.children) - set(before.children),
            "tasks": max(0, self.tasks - before.tasks),
            "followers": max(0, self.followers - before.followers),
            "threads": max(0, self.threads - before.threads - _POOL),
        }
        return {name: value for name, value in more.items() if value}


class Target:
    """A container and the ways to begin something with it that goes on."""

    def __init__(self, davitd: Davitd) -> None:
        self.davitd = davitd
        self.client = davitd.client
        self.still = create(self.client, "true")
        self.container = start(self.client, "sh", "-c", "while :; do echo tick; sleep 0.1; done")

    def send(
        self, method: str, path: str, body: bytes = b"", length: int = -1, headers: str = ""
    ) -> socket.socket:
        """Begin a request; length: what is announced, when it is not the body's."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(20)
        connection.connect(str(self.davitd.socket))
        connection.sendall(
            f"{method} {path} HTTP/1.1\r\nHost: x\r\n"
            f"{headers}Content-Length: {len(body) if length < 0 else length}\r\n\r\n".encode()
            + body
        )
        return connection

    def follow(self, path: str) -> socket.socket:
        """GET, and wait for the head of the answer."""
        connection = self.send("GET", path)
        assert b"200 OK" in connection.recv(4096)
        return connection

    def attach(self) -> socket.socket:
        return self.client.hijack(f"/containers/{self.container}/attach", stream=True, stdout=True)[
            0
        ]

    def exec(self) -> socket.socket:
        exec_id = make_exec(self.client, self.container, "sleep", "1")
        return self.client.hijack(f"/exec/{exec_id}/start", {})[0]

    def exec_that_talks(self) -> socket.socket:
        exec_id = make_exec(self.client, self.container, "dd", "if=/dev/zero", "bs=1M", "count=9")
        connection = self.client.hijack(f"/exec/{exec_id}/start", {})[0]
        assert connection.recv(1)
        return connection

    def logs(self) -> socket.socket:
        return self.follow(f"/containers/{self.container}/logs?stdout=1&follow=1")

    def events(self) -> socket.socket:
        return self.follow("/events")

    def stats(self) -> socket.socket:
        return self.follow(f"/containers/{self.container}/stats")

    def wait(self) -> socket.socket:
        return self.send("POST", f"/containers/{self.container}/wait")

    def restart(self) -> socket.socket:
        """What changes something goes on without its client."""
        return self.send("POST", f"/containers/{self.container}/restart?t=0")

    def upload(self) -> socket.socket:
        archive = busybox_tar()
        return self.send("POST", "/images/load", archive[: len(archive) // 2], len(archive))

    def import_(self) -> socket.socket:
        archive = busybox_tar()
        return self.send(
            "POST", "/images/create?fromSrc=-&repo=half", archive[: len(archive) // 2], len(archive)
        )

    def export(self) -> socket.socket:
        return self.follow(f"/containers/{self.container}/export")

    def export_of_what_is_still(self) -> socket.socket:
        return self.follow(f"/containers/{self.still}/export")

    def copy_out(self) -> socket.socket:
        return self.follow(f"/containers/{self.container}/archive?path=/bin")

    def copy_out_of_what_is_still(self) -> socket.socket:
        return self.follow(f"/containers/{self.still}/archive?path=/bin")

    def copy_in(self, container: str = "") -> socket.socket:
        archive = busybox_tar()
        path = f"/containers/{container or self.container}/archive?path=/tmp"
        return self.send("PUT", path, archive[: len(archive) // 2], len(archive))

    def copy_into_what_is_still(self) -> socket.socket:
        return self.copy_in(self.still)

    def save(self) -> socket.socket:
        return self.follow("/images/get?names=busybox")

    def build(self) -> socket.socket:
        """A build whose command runs, with mounts of all kinds, and a secret."""
        body = context(_DOCKERFILE, {"a": "a"})
        secret = base64.urlsafe_b64encode(b'{"s": "c2VjcmV0"}').decode()
        connection = self.send(
            "POST", "/build?nocache=1", body, headers=f"X-Davit-Secrets: {secret}\r\n"
        )
        said = b""
        while b"sleeps" not in said.partition(b"Running in")[2]:
            said += connection.recv(4096)
            assert b"error" not in said, said
        return connection

    def build_from_half_a_context(self) -> socket.socket:
        body = context("FROM busybox\n", {"a": "a" * (1 << 20)})
        return self.send("POST", "/build", body[: len(body) // 2], len(body))

    def session(self) -> socket.socket:
        upgrade = "Connection: Upgrade\r\nUpgrade: h2c\r\n"
        upgrade += f"X-Docker-Expose-Session-Uuid: {uuid.uuid4().hex}\r\n"
        connection = self.send("POST", "/session", headers=upgrade)
        assert b"101" in connection.recv(4096)
        return connection

    def half_a_head(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(self.davitd.socket))
        connection.sendall(b"GET /_ping HT")
        return connection


@pytest.fixture(scope="module")
def target(shared_davitd: Davitd) -> Iterator[Target]:
    made = Target(shared_davitd)
    yield made
    remove(made.client, made.container)
    remove(made.client, made.still)


def leave(connection: socket.socket) -> None:
    connection.close()


def leave_suddenly(connection: socket.socket) -> None:
    """Only the sending side first, as a client does that is killed while it copies."""
    connection.shutdown(socket.SHUT_WR)
    connection.close()


@pytest.mark.parametrize("leaves", [leave, leave_suddenly])
@pytest.mark.parametrize(
    "begin",
    [
        Target.attach,
        Target.exec,
        Target.exec_that_talks,
        Target.logs,
        Target.events,
        Target.stats,
        Target.wait,
        Target.restart,
        Target.upload,
        Target.import_,
        Target.export,
        Target.export_of_what_is_still,
        Target.copy_out,
        Target.copy_out_of_what_is_still,
        Target.copy_in,
        Target.copy_into_what_is_still,
        Target.save,
        Target.build,
        Target.build_from_half_a_context,
        Target.session,
        Target.half_a_head,
    ],
)
def test_nothing_is_held_for_who_has_gone(
    target: Target,
    begin: Callable[[Target], socket.socket],
    leaves: Callable[[socket.socket], None],
) -> None:
    # The first time something is loaded, or a pool is filled.
    leaves(begin(target))
    before = quiet(target)
    for _ in range(_ROUNDS):
        leaves(begin(target))
    with contextlib.suppress(AssertionError):
        until(lambda: not Held(target.davitd).more_than(before), "told below, with what it is")
        return
    assert not Held(target.davitd).more_than(before)


def quiet(target: Target) -> Held:
    """What it holds when that no longer changes: in six looks one after the other.

    A restart that a test before has asked for may not have ended.
    """
    davitd = target.davitd
    seen = [Held(davitd)]

    def unchanged() -> bool:
        state = target.client.get(f"/containers/{target.container}/json").json["State"]
        now = Held(davitd)
        if not state["Running"] or now.more_than(seen[0]) or seen[0].more_than(now):
            seen.clear()
        seen.append(now)
        return len(seen) > 6 and not list((davitd.run / "execs").iterdir())

    until(unchanged, "it does not come to rest")
    return seen[-1]
