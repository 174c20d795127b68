"""Waiting for containers to end or to be removed."""

from __future__ import annotations

import asyncio

from davit.errors import InvalidParameter
from davit.model.container import Container, Ended, Status

CONDITIONS = ("not-running", "next-exit", "removed")


class Waiters:
    """Futures of those who wait, by container and condition."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[tuple[str, asyncio.Future[Ended]]]] = {}

    def subscribe(self, container: Container, condition: str) -> asyncio.Future[Ended]:
        """Return what will hold the result; from now on no end is missed.

        condition: one of :data:`CONDITIONS`, empty for the first. Raises InvalidParameter.
        """
        condition = condition or CONDITIONS[0]
        if condition not in CONDITIONS:
            raise InvalidParameter(f'invalid condition: "{condition}": use {", ".join(CONDITIONS)}')
        future: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        state = container.state
        runs = state.status.is_running or state.status is Status.RESTARTING
        if condition == "not-running" and not runs:
            future.set_result(Ended(exit_code=state.exit_code))
        else:
            self._waiting.setdefault(container.id, []).append((condition, future))
        return future

    def exited(self, container_id: str, ended: Ended) -> None:
        """Tell those who wait for an end."""
        self._settle(container_id, ended, keep="removed")

    def removed(self, container_id: str, ended: Ended) -> None:
        """Tell everybody: nothing more will happen to this container."""
        self._settle(container_id, ended, keep="")

    def _settle(self, container_id: str, ended: Ended, *, keep: str) -> None:
        waiting = self._waiting.pop(container_id, [])
        kept = []
        for condition, future in waiting:
            if condition == keep and not future.done():
                kept.append((condition, future))
            elif not future.done():
                future.set_result(ended)
        if kept:
            self._waiting[container_id] = kept
