"""Swarm: what a worker of one knows of itself, and the states of a task.

Terms and values are SwarmKit's. Nothing here is secret but the join token.
"""

from __future__ import annotations

import enum
import re

import msgspec

from davit.errors import InvalidParameter
from davit.model.config import Wire

PORT = 2377
"""Where managers listen when an address names no port."""

_TOKEN = re.compile(r"SWMTKN-(?:1|2-(?P<fips>[01]))-(?P<digest>[0-9a-z]{50})-[0-9a-z]{25}\Z")


class NodeState(str, enum.Enum):
    """``LocalNodeState`` of the Engine API."""

    INACTIVE = "inactive"
    PENDING = "pending"
    ACTIVE = "active"
    ERROR = "error"
    LOCKED = "locked"


class Manager(msgspec.Struct, frozen=True):
    """A manager of the swarm. addr: ``host:port``."""

    node_id: str
    addr: str


class JoinRequest(Wire, frozen=True):
    """The body of ``POST /swarm/join``; nobody calls a worker, so where it listens says nothing."""

    advertise_addr: str = ""
    remote_addrs: list[str] = []
    join_token: str = ""
    availability: str = ""


class SwarmInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What ``GET /info`` tells of the swarm."""

    state: NodeState = NodeState.INACTIVE
    node_id: str = ""
    node_addr: str = ""
    error: str = ""
    managers: list[Manager] = []


class TaskRow(msgspec.Struct, frozen=True):
    """A task as it is kept: messages of SwarmKit, serialized; nothing secret in them."""

    task: bytes
    status: bytes


class JoinToken(msgspec.Struct, frozen=True):
    """A join token. text: all of it; digest: SHA-256 of the root certificates, in hex."""

    text: str
    digest: str

    def __repr__(self) -> str:
        """Keep the secret out of logs and tracebacks."""
        return f"JoinToken(digest={self.digest!r})"


def parse_token(text: str) -> JoinToken:
    """Read ``SWMTKN-1-<digest, base 36>-<secret>``. Raises InvalidParameter; never quotes it."""
    found = _TOKEN.match(text)
    digest = int(found["digest"], 36) if found else 0
    if found is None or digest >> 256:
        raise InvalidParameter(
            "invalid join token: it must be what `docker swarm join-token worker` shows on a "
            "manager, SWMTKN-1-… with all of its characters"
        )
    if found["fips"] == "1":
        raise InvalidParameter(
            "this swarm is for nodes in FIPS mode only, and davit has no validated cryptography"
        )
    return JoinToken(text, f"{digest:064x}")


def parse_address(text: str) -> str:
    """Return a manager's address as ``host:port``. Raises InvalidParameter."""
    host, port = text, str(PORT)
    if text.startswith("["):
        host, _, rest = text.partition("]")
        host, port = f"{host}]", rest.removeprefix(":") or port
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    elif ":" in text:
        host = f"[{text}]"
    if not host.strip("[]") or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise InvalidParameter(f"invalid remote address {text!r}: give host:port of a manager")
    return f"{host}:{port}"
