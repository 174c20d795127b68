"""Certificates from a real manager."""

from __future__ import annotations

import base64

import pytest

from davit.drivers.swarmkit import pki
from davit.drivers.swarmkit.connection import MANAGER, connect
from davit.drivers.swarmkit.enrolment import enrol, renew
from davit.errors import Forbidden, InvalidParameter, Unavailable
from davit.model.swarm import parse_address, parse_token
from tests.engine.swarmbed import Manager

pytestmark = pytest.mark.usefixtures("manager")


def remote(manager: Manager) -> str:
    return parse_address(manager.address)


async def test_first_certificate(manager: Manager) -> None:
    credentials = await enrol(remote(manager), parse_token(manager.token()), "drain")
    who = pki.identity(credentials.chain)
    node = manager.nodes()[who.node_id]
    assert who.role == pki.WORKER
    assert who.cluster_id == manager.client.get("/swarm").json["ID"]
    assert node["Spec"]["Role"] == "worker"
    assert node["Spec"]["Availability"] == "drain"
    [issuer] = pki.issuers(credentials.chain, credentials.roots) or []
    info = manager.client.get("/swarm").json["TLSInfo"]
    assert info["TrustRoot"].encode() == credentials.roots
    assert issuer.subject.hex() == _hex(info["CertIssuerSubject"])
    assert issuer.public_key.hex() == _hex(info["CertIssuerPublicKey"])


async def test_renewal_keeps_the_node(manager: Manager) -> None:
    first = await enrol(remote(manager), parse_token(manager.token()))
    async with connect(remote(manager), MANAGER, first.roots, first) as channel:
        second = await renew(channel, remote(manager), first)
    assert pki.identity(second.chain).node_id == pki.identity(first.chain).node_id
    assert second.key != first.key
    assert second.chain != first.chain


async def test_rotated_token(manager: Manager) -> None:
    token = parse_token(manager.token())
    manager.docker("swarm", "join-token", "--rotate", "worker")
    with pytest.raises(InvalidParameter, match="valid join token"):
        await enrol(remote(manager), token)


async def test_token_of_another_swarm_makes_no_node(manager: Manager) -> None:
    before = manager.nodes()
    token = parse_token(f"SWMTKN-1-{'1' * 50}-{'2' * 25}")
    with pytest.raises(Forbidden, match="fingerprint"):
        await enrol(remote(manager), token)
    assert manager.nodes() == before


async def test_manager_token_is_refused(manager: Manager) -> None:
    with pytest.raises(Forbidden, match="join-token worker"):
        await enrol(remote(manager), parse_token(manager.token("manager")))


async def test_nobody_there(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("davit.drivers.swarmkit.enrolment._ROOT_PAUSE", 0.0)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9"):
        await enrol("127.0.0.1:9", parse_token(manager.token()))


def _hex(text: str) -> str:
    return base64.b64decode(text).hex()
