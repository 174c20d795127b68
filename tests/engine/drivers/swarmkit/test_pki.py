"""Chains of certificates, as they are before, during and after an authority is replaced."""

from __future__ import annotations

import datetime
import ssl

import pytest

from davit.drivers.swarmkit import pki
from davit.errors import SystemFailure
from tests.engine.drivers.swarmkit.authority import Authority

_DAY = datetime.timedelta(days=1)


def test_identity() -> None:
    who = pki.check(Authority.new().node(pki.WORKER, node_id="n7"))
    assert (who.node_id, who.cluster_id, who.role) == ("n7", "cluster1", pki.WORKER)


def test_issuer_is_found_by_signature() -> None:
    first, second = Authority.new(), Authority.new()
    both = first.pem + second.pem
    [issuer] = pki.issuers(second.node(pki.WORKER).chain, both) or []
    assert issuer == (pki.issuers(second.pem, second.pem) or [None])[0]


def test_chain_while_the_authority_is_replaced() -> None:
    old, new = Authority.new(), Authority.new()
    node = new.node(pki.WORKER, between=old.cross_sign(new), roots=old.pem)
    assert pki.check(node).node_id == "node1"
    found = pki.issuers(node.chain, old.pem)
    assert found is not None
    assert len(found) == 2
    # The manager counts the node as converted by the key that signed its own certificate.
    assert found[0].public_key == (pki.issuers(new.pem, new.pem) or [])[0].public_key


def test_chain_that_ends_nowhere() -> None:
    old, new, stranger = Authority.new(), Authority.new(), Authority.new()
    node = new.node(pki.WORKER, between=stranger.cross_sign(new), roots=old.pem)
    assert pki.issuers(node.chain, old.pem) is None
    with pytest.raises(SystemFailure, match="not signed by the swarm's"):
        pki.check(node)


def test_key_of_another_certificate() -> None:
    authority = Authority.new()
    one, other = authority.node(pki.WORKER), authority.node(pki.WORKER)
    with pytest.raises(SystemFailure, match="not that of its key"):
        pki.check(pki.Credentials(one.chain, other.key, one.roots))


@pytest.mark.parametrize(
    ("life", "text"),
    [((-2 * _DAY, -_DAY), "expired at .*swarm leave"), ((_DAY, 2 * _DAY), "set the clock")],
)
def test_time(life: tuple[datetime.timedelta, datetime.timedelta], text: str) -> None:
    with pytest.raises(SystemFailure, match=text):
        pki.check(Authority.new().node(pki.WORKER, life=life))


@pytest.mark.parametrize("field", ["chain", "key", "roots"])
def test_nonsense(field: str) -> None:
    good = Authority.new().node(pki.WORKER)
    parts = {"chain": good.chain, "key": good.key, "roots": good.roots, field: b"nonsense"}
    with pytest.raises(SystemFailure, match="cannot be read"):
        pki.check(pki.Credentials(**parts))


def test_only_what_a_root_has_signed_is_trusted() -> None:
    old, new, stranger = Authority.new(), Authority.new(), Authority.new()
    server = new.node("swarm-manager")
    presented = [_der(server.chain), _der(stranger.cross_sign(new)), _der(old.cross_sign(new))]
    assert pki.intermediates(presented, old.pem).count(b"BEGIN") == 1
    assert pki.intermediates(presented[:2], old.pem) == b""


def test_server_that_presents_a_node_as_an_authority() -> None:
    """A worker of the swarm cannot pose as a manager by what it has been given."""
    root = Authority.new()
    worker = root.node(pki.WORKER)
    assert pki.intermediates([_der(worker.chain), _der(worker.chain)], root.pem) == b""


def test_request_is_pem() -> None:
    assert pki.request(pki.new_key()).startswith(b"-----BEGIN CERTIFICATE REQUEST-----")


def test_secrets_are_not_shown() -> None:
    assert "PRIVATE" not in repr(Authority.new().node(pki.WORKER))


def _der(pem: bytes) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pem.decode())
