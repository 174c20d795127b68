"""What the name server of a container answers, and whom it asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Answer:
    """What is known about a name: addresses of both families (A, AAAA) and names (PTR)."""

    addresses: Sequence[str] = ()
    names: Sequence[str] = ()


Lookup = Callable[[str], "Answer | None"]
"""Name in lower case without the last dot → what is known, None when another is to be asked."""


@dataclass(frozen=True)
class Upstream:
    """Servers to ask in turn. namespace: where to ask from, davitd's own by default."""

    servers: Sequence[str] = ()
    namespace: Path | None = None
