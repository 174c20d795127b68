"""gRPC over a connection that was opened by the other side, who then serves on it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

from grpclib.client import Channel, Handler
from grpclib.const import Status
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError
from grpclib.protocol import H2Protocol

from davit.errors import InvalidParameter, Unavailable


class LentChannel(Channel):
    """A channel that never connects by itself: ``protocol`` is to be given a connection."""

    def __init__(self) -> None:
        super().__init__()
        self.protocol = _Lent(Handler(), self._config, self._h2_config)

    async def __connect__(self) -> H2Protocol:
        await self.protocol.heard.wait()
        if self.protocol.handler.connection_lost:
            raise ConnectionResetError("the client has gone")
        return self.protocol

    def close(self) -> None:
        if hasattr(self.protocol, "processor"):
            self.protocol.processor.close()


class _Lent(H2Protocol):
    """heard: whether the other side has begun to serve, or has gone."""

    handler: Handler

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.heard = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.heard.set()
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.heard.set()
        super().connection_lost(exc)


@contextlib.contextmanager
def asking(what: str) -> Iterator[None]:
    """Turn what gRPC raises while a client is asked into davit's kinds.

    InvalidParameter is what the client says no to, Unavailable a client that has gone.
    """
    try:
        yield
    except GRPCError as error:
        raise InvalidParameter(f"{what}: the client says: {_reason(error)}") from error
    except (OSError, StreamTerminatedError, ProtocolError) as error:
        raise Unavailable(f"{what}: the client's session has ended: build again") from error


def is_absent(error: GRPCError) -> bool:
    """Whether the client does not have what it was asked for, or does not lend such things."""
    return error.status in (Status.NOT_FOUND, Status.UNIMPLEMENTED)


def _reason(error: GRPCError) -> str:
    return error.message or error.status.name
