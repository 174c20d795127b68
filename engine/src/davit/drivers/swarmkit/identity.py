"""The node's identity on disk; who else it knows.

The layout is Moby's: ``certificates/swarm-{root-ca.crt,node.crt,node.key}`` and ``state.json``,
without which there is no identity. The certificate and its key are replaced as one: the key is
written first under a name of its own, and a start after a crash takes whichever key belongs to the
certificate. Blocking: call in a thread.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from davit.drivers.swarmkit.pki import Credentials
from davit.model.swarm import Manager
from davit.sys.files import sync_directory, write_atomic


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """What a node keeps of its swarm besides certificates.

    managers: as last heard. advertise_addr: of this node.
    """

    managers: list[Manager]
    advertise_addr: str


class IdentityStore:
    """The directory in which the identity lies."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        certificates = directory / "certificates"
        self._certificates = certificates
        self._roots = certificates / "swarm-root-ca.crt"
        self._chain = certificates / "swarm-node.crt"
        self._key = certificates / "swarm-node.key"
        self._next_key = certificates / "swarm-node.key.next"
        self._state = directory / "state.json"

    def load(self) -> tuple[list[Credentials], Membership]:
        """Return what is kept; two credentials when a renewal was cut off: the right one fits.

        Raises OSError, msgspec.DecodeError.
        """
        chain, roots = self._chain.read_bytes(), self._roots.read_bytes()
        keys = [path.read_bytes() for path in (self._key, self._next_key) if path.exists()]
        membership = msgspec.json.decode(self._state.read_bytes(), type=Membership)
        return [Credentials(chain, key, roots) for key in keys], membership

    def save(self, credentials: Credentials) -> None:
        """Keep key and certificate; at each instant one of the keys on disk fits."""
        for directory in (self._directory, self._certificates):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(self._next_key, credentials.key)
        write_atomic(self._roots, credentials.roots, mode=0o644)
        write_atomic(self._chain, credentials.chain, mode=0o644)
        self._next_key.rename(self._key)
        sync_directory(self._certificates)

    def save_roots(self, roots: bytes) -> None:
        write_atomic(self._roots, roots, mode=0o644)

    def save_membership(self, membership: Membership) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(self._state, msgspec.json.encode(membership))

    def forget(self) -> None:
        """Remove the identity; the state, written last, goes first, so that half of it is none."""
        self._state.unlink(missing_ok=True)
        shutil.rmtree(self._directory, ignore_errors=True)
