"""Certificates from a swarm's authority: the first one, by a join token, and renewals."""

from __future__ import annotations

import asyncio
import logging

from grpclib.client import Channel

from davit._pb import swarmkit_pb2 as pb
from davit._pb.swarmkit_grpc import CAStub, NodeCAStub
from davit.drivers.swarmkit import pki
from davit.drivers.swarmkit.connection import JOINING, connect, connect_unverified, failures
from davit.errors import Forbidden, SystemFailure, Unavailable
from davit.model.swarm import JoinToken

logger = logging.getLogger(__name__)

_CALL_SECONDS = 5.0
_ROOT_TRIES = 5
_ROOT_PAUSE = 2.0
_POLL_PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)


async def enrol(address: str, token: JoinToken, availability: str = "active") -> pki.Credentials:
    """Get a node's first certificate from the manager at ``host:port``.

    availability: active, pause or drain. Raises Forbidden when the manager is not the one the
    token is for, InvalidParameter when the token is not valid there, Unavailable.
    """
    roots = await _roots(address, token)
    key = pki.new_key()
    csr = pki.request(key)
    async with connect(address, JOINING, roots) as channel:
        wish = pb.IssueNodeCertificateRequest(
            csr=csr,
            token=token.text,
            availability=availability.upper(),
        )
        # Once only: the manager makes a new node of each of these requests.
        with failures(address):
            issued = await NodeCAStub(channel).IssueNodeCertificate(wish, timeout=_CALL_SECONDS)
        chain = await _fetch(channel, address, issued.node_id, csr)
    return _checked(pki.Credentials(chain, key, roots), issued.node_id)


async def renew(channel: Channel, address: str, credentials: pki.Credentials) -> pki.Credentials:
    """Get a new certificate for a new key, over a connection made with the old one.

    It works over an existing connection even while the authority is replaced. Raises Forbidden
    for a manager's certificate: this node was promoted, which it cannot be.
    """
    before = pki.identity(credentials.chain)
    key = pki.new_key()
    csr = pki.request(key)
    with failures(address):
        await NodeCAStub(channel).IssueNodeCertificate(
            pb.IssueNodeCertificateRequest(csr=csr), timeout=_CALL_SECONDS
        )
    chain = await _fetch(channel, address, before.node_id, csr)
    return _checked(pki.Credentials(chain, key, credentials.roots), before.node_id)


async def _roots(address: str, token: JoinToken) -> bytes:
    """Return the swarm's root certificates, once they are those that the token names."""
    for left in reversed(range(_ROOT_TRIES)):
        try:
            async with connect_unverified(address) as channel:
                with failures(address):
                    answer = await CAStub(channel).GetRootCACertificate(
                        pb.GetRootCACertificateRequest(), timeout=_CALL_SECONDS
                    )
            break
        except Unavailable as error:
            if left == 0:
                raise
            logger.info("%s; trying again", error.message)
            await asyncio.sleep(_ROOT_PAUSE)
    if pki.digest(answer.certificate) != token.digest:
        raise Forbidden(
            f"swarm manager {address}: its root certificates are not those of the join token: "
            "remote CA does not match fingerprint. The token is of another swarm, the authority "
            "was replaced since, or somebody is in between: get the token anew"
        )
    pki.check_roots(answer.certificate)
    return answer.certificate


async def _fetch(channel: Channel, address: str, node_id: str, csr: bytes) -> bytes:
    """Wait until the certificate for this request is there; before it comes that of another."""
    stub = NodeCAStub(channel)
    for pause in (*_POLL_PAUSES, 0.0):
        try:
            with failures(address):
                answer = await stub.NodeCertificateStatus(
                    pb.NodeCertificateStatusRequest(node_id=node_id), timeout=_CALL_SECONDS
                )
        except Unavailable as error:
            logger.info("%s; still waiting for the certificate", error.message)
        else:
            state, mine = answer.status.state, answer.certificate.csr == csr
            if state == pb.IssuanceStatus.FAILED:
                raise SystemFailure(
                    f"swarm manager {address} did not sign this node's certificate: "
                    f"{answer.status.err}"
                )
            if mine and state in (pb.IssuanceStatus.ISSUED, pb.IssuanceStatus.ROTATE):
                return answer.certificate.certificate
        await asyncio.sleep(pause)
    raise Unavailable(
        f"swarm manager {address} did not sign this node's certificate in time: see its log, and "
        f"remove the unused node {node_id} there"
    )


def _checked(credentials: pki.Credentials, node_id: str) -> pki.Credentials:
    who = pki.check(credentials)
    if who.role != pki.WORKER:
        raise Forbidden(
            f"node {node_id} was issued a manager's certificate ({who.role}), and davit is a "
            "worker only: join with the token of `docker swarm join-token worker`; a node that "
            "was promoted is removed with `docker node rm --force` and joins anew"
        )
    if who.node_id != node_id:
        raise SystemFailure(f"swarm: the certificate is for node {who.node_id}, not for {node_id}")
    return credentials
