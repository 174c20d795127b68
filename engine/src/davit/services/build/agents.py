"""``RUN --mount=type=ssh``: a socket of a command, behind which the client's SSH agent is.

The keys never leave the client. Source: Dockerfile reference, "RUN --mount=type=ssh".
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack

from davit.errors import InvalidParameter
from davit.model import ids
from davit.model.build import Warned
from davit.model.config import Mount
from davit.services.build.needs import Lender, Needs, Report

_DEFAULT = "default"
# A socket's address has 108 bytes at most (unix(7)).
_NAME = 16


class Agents:
    """Those that the client of one build lends."""

    def __init__(self, needs: Needs, lender: Lender, report: Report) -> None:
        self._root = needs.paths.build_secrets
        self._remap = needs.remap
        self._lender = lender
        self._report = report

    async def mounts(
        self, stack: AsyncExitStack, target: str, options: Mapping[str, str]
    ) -> list[Mount]:
        """Return the mount of a socket, none when the client has no such agent and need not.

        It is there until the stack is closed. Raises InvalidParameter.
        """
        name = options.get("id", _DEFAULT)
        if not await self._lender.has_agent(name):
            if options.get("required", "false") != "false":
                raise InvalidParameter(
                    f"SSH agent {name}: the client does not lend it: build with BuildKit's client "
                    f"and --ssh {name}"
                )
            self._report(Warned(text=f"SSH agent {name} was not lent: left out"))
            return []
        owner = int(options.get("uid", "0")), int(options.get("gid", "0"))
        if self._remap is not None:
            owner = self._remap.ids.outside(*owner)
        path = self._root / ids.new_id()[:_NAME]
        mode = int(options.get("mode", "0600"), 8)
        await stack.enter_async_context(self._lender.agent(name, path, owner, mode))
        return [Mount(type="bind", source=str(path), target=target)]
