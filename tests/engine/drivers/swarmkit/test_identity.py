"""The identity on disk: whole, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from davit.drivers.swarmkit import pki
from davit.drivers.swarmkit.identity import IdentityStore, Membership
from davit.model.swarm import Manager
from tests.engine.drivers.swarmkit.authority import Authority

_MEMBERSHIP = Membership(managers=[Manager("m1", "192.0.2.1:2377")], advertise_addr="192.0.2.7")


@pytest.fixture
def store(tmp_path: Path) -> IdentityStore:
    return IdentityStore(tmp_path / "swarm")


def test_what_is_kept(store: IdentityStore, tmp_path: Path) -> None:
    node = Authority.new().node(pki.WORKER)
    store.save(node)
    store.save_membership(_MEMBERSHIP)
    assert store.load() == ([node], _MEMBERSHIP)
    for path in (tmp_path / "swarm", tmp_path / "swarm/certificates"):
        assert path.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "swarm/certificates/swarm-node.key").stat().st_mode & 0o777 == 0o600


def test_a_renewal_that_was_cut_off(store: IdentityStore, tmp_path: Path) -> None:
    """Before or after the new certificate is there, one of the keys is its own."""
    authority = Authority.new()
    old, new = authority.node(pki.WORKER), authority.node(pki.WORKER)
    store.save(old)
    store.save_membership(_MEMBERSHIP)
    (tmp_path / "swarm/certificates/swarm-node.key.next").write_bytes(new.key)
    assert old in store.load()[0]
    (tmp_path / "swarm/certificates/swarm-node.crt").write_bytes(new.chain)
    assert new in store.load()[0]


def test_half_forgotten_is_forgotten(
    store: IdentityStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What davitd looks for at its start goes first."""
    store.save(Authority.new().node(pki.WORKER))
    store.save_membership(_MEMBERSHIP)
    monkeypatch.setattr("shutil.rmtree", lambda *_args, **_options: None)
    store.forget()
    assert not (tmp_path / "swarm/state.json").exists()
