"""``RUN --mount=type=secret``: files that a command sees and nothing keeps.

They are not part of a step's identity, nor of its container's description.
Source: Dockerfile reference, "RUN --mount=type=secret".
"""

from __future__ import annotations

import asyncio
import os
import posixpath
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from davit.model import ids
from davit.model.config import Mount
from davit.services.build.lent import Lent


class Secrets(Lent):
    """Those that the client of one build has."""

    async def mounts(
        self, stack: AsyncExitStack, target: str, options: Mapping[str, str]
    ) -> list[Mount]:
        """Return the mount of a secret, none when there is none and it is not required.

        It is there until the stack is closed. Raises InvalidParameter.
        """
        name = options["id"]
        value = await self._lender.secret(name)
        if value is None:
            self._leave_out(
                options,
                f"secret {name} was not sent",
                f"secret {name}: not found: pass it with --secret id={name},src=FILE; what is no "
                "client of BuildKit sends the header X-Davit-Secrets (base64url of JSON, ID to "
                "base64)",
            )
            return []
        path = self._root / ids.new_id()
        stack.push_async_callback(asyncio.to_thread, path.unlink, missing_ok=True)
        mode = int(options.get("mode", "0400"), 8)
        await asyncio.to_thread(_write, path, value, self._owner(options), mode)
        return [Mount(type="bind", source=str(path), target=target, read_only=True)]


def completed(options: Mapping[str, str], text: str) -> dict[str, str]:
    """Return the options of a mount with ``id`` and ``target``. Raises ValueError."""
    name = (
        options.get("source") or options.get("id") or posixpath.basename(options.get("target", ""))
    )
    if not name:
        raise ValueError(f"invalid mount {text!r}: id or target is missing")
    target = options.get("target") or f"/run/secrets/{posixpath.basename(name)}"
    return {**options, "id": name, "target": target}


def _write(path: Path, value: bytes, owner: tuple[int, int], mode: int) -> None:
    # Others may pass, as a container's root may be one of them, but not look around.
    path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0)
    with open(descriptor, "wb") as file:
        file.write(value)
        os.fchown(descriptor, *owner)
        os.fchmod(descriptor, mode)
