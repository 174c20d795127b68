"""``RUN --mount=type=ssh``: a socket of a command, behind which the client's SSH agent is.

The keys never leave the client. Source: Dockerfile reference, "RUN --mount=type=ssh".
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack

from davit.model import ids
from davit.model.config import Mount
from davit.services.build.lent import Lent

_DEFAULT = "default"
# A socket's address has 108 bytes at most (unix(7)).
_NAME = 16


class Agents(Lent):
    """Those that the client of one build lends."""

    async def mounts(
        self, stack: AsyncExitStack, target: str, options: Mapping[str, str]
    ) -> list[Mount]:
        """Return the mount of a socket, none when the client has no such agent and need not.

        It is there until the stack is closed. Raises InvalidParameter.
        """
        name = options.get("id", _DEFAULT)
        if not await self._lender.has_agent(name):
            self._leave_out(
                options,
                f"SSH agent {name} was not lent",
                f"SSH agent {name}: the client does not lend it: build with BuildKit's client and "
                f"--ssh {name}",
            )
            return []
        path = self._root / ids.new_id()[:_NAME]
        mode = int(options.get("mode", "0600"), 8)
        await stack.enter_async_context(self._lender.agent(name, path, self._owner(options), mode))
        return [Mount(type="bind", source=str(path), target=target)]
