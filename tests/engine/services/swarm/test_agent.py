"""Sessions with a manager of the test's own, which does what real ones do seldom."""

from __future__ import annotations

import datetime
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from davit._pb import swarmkit_pb2 as pb
from davit.drivers.swarmkit import connection
from davit.model.swarm import NodeState
from davit.services.swarm import logs
from tests.engine.drivers.swarmkit.authority import Authority
from tests.engine.drivers.swarmkit.refuser import refusing
from tests.engine.services.swarm.conftest import Node, until
from tests.engine.services.swarm.fakeswarm import FakeSwarm, serving

_HOUR = datetime.timedelta(hours=1)


@pytest.fixture
async def swarm(tmp_path: Path) -> AsyncIterator[FakeSwarm]:
    swarm = FakeSwarm()
    async with serving(swarm, tmp_path):
        yield swarm


async def test_a_session_that_ends_before_it_begins(node: Node, swarm: FakeSwarm) -> None:
    await node.service.join(swarm.wish)
    await node.close()
    swarm.hang_up = True
    await node.open()
    await until(lambda: swarm.sessions > 3, "it asks again and again")
    info = node.service.info()
    assert info.state is NodeState.PENDING
    assert info.error == f"swarm manager {swarm.address} has ended the session"
    swarm.hang_up = False
    await until(lambda: node.service.info().state is NodeState.ACTIVE, "the session is back")


async def test_a_manager_that_notices_late_that_a_session_has_ended(
    node: Node, swarm: FakeSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With that end it forgets that there is a new session, and serves its logs no more."""
    monkeypatch.setattr(logs, "_LISTEN_SECONDS", (1.0, 1.0, 1.0))
    await node.service.join(swarm.wish)
    await until(lambda: swarm.listening, "it listens")
    swarm.hang_up = True
    await swarm.say()
    await until(lambda: swarm.sessions >= 2, "it comes again")
    swarm.hang_up = False
    await until(lambda: swarm.listens == 2, "there is a new session")
    swarm.noticed.set()
    await until(lambda: not swarm.listening, "the old one's end is noticed")
    await until(lambda: swarm.listening, "it listens again")


async def test_the_address_that_was_chosen(node: Node, swarm: FakeSwarm) -> None:
    wish = msgspec.structs.replace(swarm.wish, advertise_addr="192.0.2.7:2377")
    await node.service.join(wish)
    assert node.service.info().node_addr == "192.0.2.7"


async def test_what_lasts_is_logged_once(
    node: Node, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API tells the time of the last try."""
    swarm, tries = FakeSwarm(), list[datetime.datetime]()
    async with serving(swarm, tmp_path):
        await node.service.join(swarm.wish)

    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Clock:
            tries.append(cls(2026, 1, 1, tzinfo=tz) + datetime.timedelta(minutes=len(tries)))
            return cls.fromtimestamp(tries[-1].timestamp(), tz)

    monkeypatch.setattr(connection, "datetime", Clock)
    own, believed = swarm.authority.node("swarm-manager"), Authority.new().pem
    with refusing(own, believed, tmp_path, swarm.address), caplog.at_level(logging.WARNING):
        await until(lambda: len(tries) > 3, "it asks again and again")
    assert caplog.text.count("refuses this node's certificate") == 1
    assert "at 2026-01-01 00:0" in node.service.info().error


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("certificates/swarm-node.key", "the node's key cannot be read"),
        ("certificates/swarm-node.crt", "the node's certificate cannot be read"),
        ("certificates/swarm-root-ca.crt", "the swarm's root certificates cannot be read"),
        ("state.json", "this node's identity cannot be read"),
    ],
)
async def test_an_identity_that_is_broken(
    node: Node, swarm: FakeSwarm, tmp_path: Path, file: str, words: str
) -> None:
    await node.service.join(swarm.wish)
    await node.close()
    (tmp_path / "swarm" / file).write_bytes(b"nonsense")
    await node.open()
    info = node.service.info()
    assert info.state is NodeState.ERROR
    assert words in info.error
    await node.service.leave()
    assert not (tmp_path / "swarm").exists()
    await node.service.join(swarm.wish)


async def test_a_certificate_is_renewed_in_time(node: Node, swarm: FakeSwarm) -> None:
    """An hour old and with a second to come, it is past 80 % of its life."""
    swarm.life = (-_HOUR, datetime.timedelta(minutes=1))
    await node.service.join(swarm.wish)
    swarm.life = (-_HOUR, _HOUR * 24)
    await until(lambda: swarm.issued == 2, "a new certificate is asked for")
    await until(lambda: swarm.sessions >= 2, "there is a session with it")


async def test_a_promoted_node_stays_what_it_is(
    node: Node, swarm: FakeSwarm, caplog: pytest.LogCaptureFixture
) -> None:
    """The manager issues it certificates of a manager only, so it asks for none."""
    await node.service.join(swarm.wish)
    swarm.role = "swarm-manager"
    certificate = pb.Certificate(status=pb.IssuanceStatus(state=pb.IssuanceStatus.ROTATE))
    with caplog.at_level(logging.ERROR):
        await swarm.say(spec=pb.NodeSpec(desired_role=pb.MANAGER), certificate=certificate)
        await until(lambda: node.service.info().error, "it is told")
    info = node.service.info()
    assert info.state is NodeState.ACTIVE
    assert "docker node rm --force node1" in info.error
    assert info.error in caplog.text
    await swarm.say()
    assert (swarm.issued, swarm.sessions) == (1, 1)
    # Demoted in time, it goes on as ever.
    swarm.role = "swarm-worker"
    swarm.node.spec.ClearField("desired_role")
    await swarm.say()
    await until(lambda: swarm.issued == 2, "a new certificate is asked for")
    await until(lambda: not node.service.info().error, "nothing is wrong any more")
