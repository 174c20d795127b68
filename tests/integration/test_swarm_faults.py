"""What goes wrong with a worker's membership: told alike by its API, the module and the log."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from davit.drivers.swarmkit import pki
from tests.engine.conftest import Davitd, new_davitd
from tests.engine.drivers.swarmkit.authority import Authority
from tests.engine.drivers.swarmkit.refuser import refusing
from tests.engine.services.swarm.fakeswarm import FakeSwarm, Life, serving
from tests.engine.swarmbed import Manager
from tests.integration.conftest import Fleet

_HOUR = datetime.timedelta(hours=1)
_NOW = (-_HOUR, _HOUR)
_TO_COME = (_HOUR, 2 * _HOUR)
_PAST = (-2 * _HOUR, -_HOUR)


@pytest.fixture(scope="module")
def worker() -> Iterator[Davitd]:
    with new_davitd() as davitd:
        yield davitd


@pytest.fixture
def fleet(worker: Davitd) -> Iterator[Fleet]:
    """The worker's host, in no swarm before and after."""
    yield Fleet("davit", worker.socket, worker.client)
    assert worker.client.get("/info").json["Swarm"]["LocalNodeState"] == "inactive"


def refused(
    fleet: Fleet, worker: Davitd, address: str, token: str, status: int, words: str
) -> None:
    """Try to join; the same words are in the answer, in the module's result and in the log."""
    body = {"RemoteAddrs": [address], "JoinToken": token}
    answer = worker.client.post("/swarm/join", body)
    assert (answer.status, words in answer.message) == (status, True), answer.body
    assert f"/swarm/join: {status} {answer.message}\n" in worker.log.read_text()
    result = fleet.run("swarm", fails=True, remote_addrs=[address], join_token=token)
    assert words in result["msg"]
    assert not result["changed"]
    for told in (answer.message, str(result), worker.log.read_text()):
        assert token not in told


@pytest.mark.parametrize(
    ("token", "status", "words"),
    [
        (f"SWMTKN-1-{'z' * 50}-{'1' * 25}", 400, "with all of its characters"),
        (f"SWMTKN-1-{'1' * 50}-{'1' * 25}", 403, "remote CA does not match fingerprint"),
    ],
)
def test_token(
    fleet: Fleet, worker: Davitd, manager: Manager, token: str, status: int, words: str
) -> None:
    refused(fleet, worker, manager.address, token, status, words)


def test_malformed_token(fleet: Fleet, worker: Davitd, manager: Manager) -> None:
    """The module looks at it before it asks anybody."""
    body = {"RemoteAddrs": [manager.address], "JoinToken": "SWMTKN-1-short-token"}
    answer = worker.client.post("/swarm/join", body)
    assert answer.status == 400
    assert "it must be what `docker swarm join-token worker` shows" in answer.message
    way = {"remote_addrs": [manager.address], "join_token": "SWMTKN-1-short-token"}
    refused = fleet.run("swarm", fails=True, **way)
    assert "join_token: this is no join token" in refused["msg"]
    assert "short-token" not in worker.log.read_text() + answer.message + str(refused)


def test_rotated_token(fleet: Fleet, worker: Davitd, manager: Manager) -> None:
    token = manager.token()
    manager.docker("swarm", "join-token", "--rotate", "worker")
    words = "A valid join token is necessary to join this cluster"
    refused(fleet, worker, manager.address, token, 400, words)
    assert len(manager.nodes()) == 1


def test_nobody_there(fleet: Fleet, worker: Davitd, manager: Manager) -> None:
    words = "swarm manager 127.0.0.1:9 cannot be spoken to: Connect call failed"
    refused(fleet, worker, "127.0.0.1:9", manager.token(), 503, words)


def test_port_that_is_blocked(fleet: Fleet, worker: Davitd, manager: Manager) -> None:
    token = manager.token()
    rules = "add table inet block; add chain inet block in { type filter hook input priority 0; }"
    with _rules(manager, f"{rules}; add rule inet block in tcp dport 2377 drop"):
        words = f"{manager.address}:2377 does not answer: is it up, and does a firewall let TCP"
        refused(fleet, worker, manager.address, token, 503, words)


@pytest.mark.parametrize(
    ("own", "issued", "status", "words"),
    [
        (_TO_COME, _NOW, 503, "certificate is not yet valid: set the clock"),
        (_PAST, _NOW, 503, "certificate has expired: set the clock"),
        (_NOW, _TO_COME, 500, "set the clock"),
        (_NOW, _PAST, 500, "set the clock if it is wrong"),
    ],
)
def test_clocks_that_differ(
    fleet: Fleet,
    worker: Davitd,
    tmp_path: Path,
    own: Life,
    issued: Life,
    status: int,
    words: str,
) -> None:
    """own, issued: lives of the manager's certificate and of the one that the node gets."""
    with _fake(FakeSwarm(issued), tmp_path, own) as swarm:
        token = swarm.wish.join_token
        refused(fleet, worker, swarm.address, token, status, words)
        # No manager is asked for a node that could not be one.
        assert swarm.issued == (0 if own != _NOW else 2)


@pytest.mark.parametrize(
    ("life", "words"),
    [
        (_PAST, "refuses this node's certificate as expired, or not valid yet, by the manager's"),
        (_TO_COME, "refuses this node's certificate as bad: expired, or not valid yet, by the"),
        (None, "refuses this node's certificate as one that its swarm's certificate authority has"),
    ],
)
def test_certificate_that_a_manager_refuses(
    fleet: Fleet, worker: Davitd, tmp_path: Path, life: Life | None, words: str
) -> None:
    """life: of the root certificate, in the eyes of the manager; None: it knows only another."""
    with _fake(FakeSwarm(), tmp_path, _NOW) as swarm:
        way = {"remote_addrs": [swarm.address], "join_token": swarm.wish.join_token}
        fleet.run("swarm", **way)
    own = swarm.authority.node("swarm-manager")
    believed = swarm.authority.dated(life) if life else Authority.new().pem
    with refusing(own, believed, tmp_path, swarm.address):
        end = time.monotonic() + 30
        while words not in (told := worker.client.get("/info").json["Swarm"].get("Error", "")):
            assert time.monotonic() < end, told
            time.sleep(0.1)
        facts = fleet.run("swarm_info")["node"]
        assert words in facts["error"]
        assert "docker swarm leave --force" in facts["error"]
        assert words in worker.log.read_text()
        assert words in str(fleet.run("swarm", **way)["warnings"])
    # Over with the clock set right, or so.
    assert fleet.run("swarm", state="absent")["changed"]


def test_expired_certificate(fleet: Fleet, worker: Davitd, manager: Manager) -> None:
    """It ends while davitd is not there, and davitd says so until somebody leaves and rejoins."""
    way = {"remote_addrs": [manager.address], "join_token": manager.token()}
    fleet.run("swarm", **way)
    gone = worker.client.get("/info").json["Swarm"]["NodeID"]
    worker.stop()
    old = Authority.new().node(pki.WORKER, node_id=gone, life=_PAST)
    certificates = worker.data / "swarm/certificates"
    (certificates / "swarm-node.crt").write_bytes(old.chain)
    (certificates / "swarm-node.key").write_bytes(old.key)
    (certificates / "swarm-root-ca.crt").write_bytes(old.roots)
    worker.start()
    swarm = worker.client.get("/info").json["Swarm"]
    assert swarm["LocalNodeState"] == "error"
    assert "the node's certificate expired at" in swarm["Error"]
    assert "docker swarm leave --force" in swarm["Error"]
    assert swarm["Error"] in worker.log.read_text()
    assert swarm["Error"] in fleet.run("swarm", fails=True, **way)["msg"]
    # The way back.
    joined = fleet.run("swarm", rejoin=True, **way)
    assert joined["node"]["id"] not in ("", gone)
    assert fleet.run("swarm", state="absent")["changed"]


def test_identity_that_another_process_has(fleet: Fleet, worker: Davitd, manager: Manager) -> None:
    """It is in the data root, which davitd locks before it reads anything."""
    fleet.run("swarm", remote_addrs=[manager.address], join_token=manager.token())
    roots = ("--data-root", str(worker.data), "--run-root", str(worker.root / "other"))
    done = subprocess.run(
        [*worker._argv()[:3], *roots], capture_output=True, timeout=30, check=False
    )
    assert done.returncode == 1
    assert f"in use by davitd with process ID {worker.pid}".encode() in done.stderr
    node_id = worker.client.get("/info").json["Swarm"]["NodeID"]
    assert manager.nodes()[node_id]["Status"]["State"] == "ready"
    assert fleet.run("swarm", state="absent")["changed"]


@contextlib.contextmanager
def _rules(manager: Manager, rules: str) -> Iterator[None]:
    """Add nftables rules where a manager is, and take all of them away again."""
    nft = ("ip", "netns", "exec", manager.namespace, "nft")
    subprocess.run([*nft, rules], check=True)
    try:
        yield
    finally:
        subprocess.run([*nft, "delete table inet block"], check=True)


@contextlib.contextmanager
def _fake(swarm: FakeSwarm, directory: Path, own: Life) -> Iterator[FakeSwarm]:
    """Serve a swarm of the test's own, from another thread."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    done = asyncio.Event()

    async def serve() -> None:
        async with serving(swarm, directory, own):
            ready.set()
            await done.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=[serve()])
    thread.start()
    try:
        assert ready.wait(10)
        yield swarm
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
        loop.close()
