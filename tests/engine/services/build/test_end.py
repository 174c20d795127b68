"""Builds that are cut: the client goes away, davitd is killed."""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.engine.client import UnixConnection
from tests.engine.conftest import Davitd
from tests.engine.services.build.conftest import Builder, context

DOCKERFILE = """\
FROM busybox
RUN echo done > /done
RUN --mount=target=/context,rw --mount=from=busybox,target=/image --mount=type=secret,id=s \\
    --mount=type=cache,sharing=locked,target=/cache sleep 600
"""
_SECRET = {"X-Davit-Secrets": base64.urlsafe_b64encode(b'{"s": "c2VjcmV0"}').decode()}


@contextmanager
def begun(davitd: Davitd) -> Iterator[str]:
    """A build whose second command runs; gives the ID of its container."""
    with closing(UnixConnection(davitd.socket)) as connection:
        connection.request("POST", "/build", context(DOCKERFILE, {}), _SECRET)
        response = connection.getresponse()
        while b"Step 3/3" not in response.readline():
            pass
        until(lambda: bool(davitd.client.get("/containers/json").json))
        yield davitd.client.get("/containers/json").json[0]["Id"]


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def left(davitd: Davitd) -> list[str]:
    """Containers, mounts, and directories of the build or of trees that it mounted, secrets."""
    rows = davitd.client.get("/containers/json", all=True).json
    places = [davitd.data / "containers", davitd.run / "containers", davitd.data / "ingest"]
    places += [davitd.run / "secrets", davitd.run / "m"]
    entries = [str(entry) for place in places if place.exists() for entry in place.iterdir()]
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    mounts = [mount for mount in mounts if mount.startswith(f"{davitd.root}/")]
    return [row["Id"] for row in rows] + entries + [m for m in mounts if "/containers/" in m]


def test_a_client_that_goes_away_ends_the_build(builder: Builder) -> None:
    with begun(builder.davitd):
        pass
    until(lambda: not left(builder.davitd))
    again = builder.build(DOCKERFILE.replace("sleep 600", "true"))
    assert again.hits == 1


def test_nothing_stays_of_a_build_that_davitd_did_not_survive(davitd: Davitd) -> None:
    davitd.load_busybox()
    half = context("FROM busybox\n", {"a": "a" * (1 << 20)})[: 1 << 19]
    with begun(davitd), closing(socket.socket(socket.AF_UNIX)) as upload:
        upload.connect(str(davitd.socket))
        upload.sendall(b"POST /build HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n" + half)
        until(lambda: len(list((davitd.data / "containers").glob("*/context/*"))) == 3)
        davitd.kill()
    assert any((davitd.data / "containers").iterdir())
    assert any((davitd.run / "secrets").iterdir())
    davitd.start()
    until(lambda: not left(davitd))
    again = Builder(davitd).build(DOCKERFILE.replace("sleep 600", "true"))
    assert again.hits == 1
