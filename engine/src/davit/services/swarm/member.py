"""This node as its swarm knows it: identity, managers, and what the last session said."""

from __future__ import annotations

import asyncio
import logging
import random
from datetime import datetime, timezone

import msgspec

from davit._pb import swarmkit_pb2 as pb
from davit.drivers.swarmkit import pki
from davit.drivers.swarmkit.identity import IdentityStore, Membership
from davit.errors import SystemFailure
from davit.model.swarm import Manager

logger = logging.getLogger(__name__)

# A certificate is renewed at a random point between these parts of its life, so that the nodes of
# a swarm do not all come at once.
_RENEWAL = (0.5, 0.8)


class Member:
    """Changes are on disk before they are used.

    session_id: to take the session up with.
    to_be_worker: that is the role it is to have. warning: what somebody should look after.
    """

    def __init__(
        self, store: IdentityStore, credentials: pki.Credentials, membership: Membership
    ) -> None:
        self._store = store
        self.credentials = credentials
        self.membership = membership
        self.identity = pki.identity(credentials.chain)
        self.session_id = ""
        self.renewal_wanted = asyncio.Event()
        self.to_be_worker = asyncio.Event()
        self.warning = ""
        self._avoided = ""

    @classmethod
    def load(cls, store: IdentityStore) -> Member:
        """Read the identity from disk. Blocking. Raises SystemFailure with the way back."""
        try:
            candidates, membership = store.load()
        except (OSError, msgspec.MsgspecError) as error:
            raise SystemFailure(
                f"swarm: this node's identity cannot be read: {error}: run `docker swarm leave "
                "--force` here, remove the node on a manager, and join again"
            ) from None
        failure = SystemFailure("swarm: this node's key is missing: leave the swarm and join again")
        for credentials in candidates:
            try:
                pki.check(credentials)
            except SystemFailure as error:
                failure = error
            else:
                return cls(store, credentials, membership)
        raise failure

    def pick(self) -> Manager:
        """Choose a manager by chance, but not the one that failed last when there is another."""
        managers = self.membership.managers
        others = [manager for manager in managers if manager.addr != self._avoided]
        return random.choice(others or managers)

    def avoid(self, manager: Manager) -> None:
        self._avoided = manager.addr

    async def hear(self, message: pb.SessionMessage) -> None:
        """Take what a session's message says; every one says everything."""
        self.session_id = message.session_id or self.session_id
        if message.HasField("node"):
            self._hear_node(message.node)
        managers = [
            Manager(item.peer.node_id, item.peer.addr)
            for item in message.managers
            if item.peer.addr
        ]
        if managers and managers != self.membership.managers:
            membership = msgspec.structs.replace(self.membership, managers=managers)
            await asyncio.to_thread(self._store.save_membership, membership)
            self.membership = membership

    async def trust(self, roots: bytes) -> bool:
        """Take new root certificates; tell whether they are new. Those that do not fit are left.

        While an authority is replaced, the node's certificate has to be renewed first.
        """
        if not roots or roots == self.credentials.roots:
            return False
        if pki.issuers(self.credentials.chain, roots) is None:
            logger.info("swarm: root certificates that did not sign this node's: not taken yet")
            return False
        await asyncio.to_thread(self._store.save_roots, roots)
        self.credentials = pki.Credentials(self.credentials.chain, self.credentials.key, roots)
        logger.info("swarm: the certificate authority was replaced")
        return True

    async def renewed(self, credentials: pki.Credentials) -> None:
        """Keep a new certificate and its key."""
        await asyncio.to_thread(self._store.save, credentials)
        self.credentials = credentials
        self.identity = pki.identity(credentials.chain)
        self.renewal_wanted.clear()
        logger.info("swarm: new certificate, valid until %s", self.identity.not_after)

    def renewal_in(self) -> float:
        """Return the seconds until the certificate is to be renewed, a little by chance."""
        life = self.identity.not_after - self.identity.not_before
        at = self.identity.not_before + life * random.uniform(*_RENEWAL)
        return max(0.0, (at - datetime.now(timezone.utc)).total_seconds())

    def _hear_node(self, node: pb.Node) -> None:
        if node.certificate.status.state == pb.IssuanceStatus.ROTATE:
            self.renewal_wanted.set()
        if node.spec.desired_role != pb.MANAGER:
            self.to_be_worker.set()
            self.warning = ""
            return
        self.to_be_worker.clear()
        if not self.warning:
            self.warning = (
                "this node was promoted to manager, and davit is a worker only. It goes on as it "
                f"is until its certificate ends, {self.identity.not_after:%Y-%m-%d %H:%M} UTC. The "
                "way back: `docker swarm leave --force` here, `docker node rm --force "
                f"{node.id}` on a manager, and join again"
            )
            logger.error("swarm: %s", self.warning)
