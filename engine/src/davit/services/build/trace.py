"""What a build says to clients of BuildKit: how far each of its steps is."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec.structs import replace

from davit.errors import DavitError
from davit.model.build import Event, Output, StepBegun, StepCached, Warned
from davit.model.image import Progress
from davit.model.solve import Step, Vertex, VertexLog, VertexStatus

_STDERR = 2


class Trace:
    """Of one build. Its steps go on one after the other, so there is one that is under way."""

    def __init__(self, report: Callable[[Step], None], build_id: str) -> None:
        self._report = report
        self._build_id = build_id
        self._count = 0
        self._now: Vertex | None = None

    def show(self, event: Event) -> None:
        """Take what the builder tells; lines that are for people only say nothing here."""
        if isinstance(event, StepBegun):
            self.begin(f"[{event.number}/{event.total}] {event.text}")
        elif self._now is None:
            return
        elif isinstance(event, StepCached):
            self._now = replace(self._now, cached=True)
        elif isinstance(event, Output):
            self._log(event.stream, event.text)
        elif isinstance(event, Warned):
            self._log(_STDERR, f"[Warning] {event.text}\n")
        elif isinstance(event, Progress):
            self._show_progress(event)

    def begin(self, name: str) -> None:
        """The step before has ended, and one of this name begins."""
        self.end()
        self._count += 1
        digest = hashlib.sha256(f"{self._build_id} {self._count}".encode()).hexdigest()
        self._now = Vertex(digest=f"sha256:{digest}", name=name, started=time.time_ns())
        self._report(self._now)

    def end(self, error: str = "") -> None:
        if self._now is not None:
            self._report(replace(self._now, completed=time.time_ns(), error=error))
            self._now = None

    def amount(self, what: str, current: int, total: int = 0, *, done: bool = False) -> None:
        """Tell how much of something within the step is done (bytes)."""
        if self._now is None:
            return
        now = time.time_ns()
        self._report(
            VertexStatus(
                id=what,
                vertex=self._now.digest,
                at=now,
                current=current,
                total=total,
                started=self._now.started,
                completed=now if done else 0,
            )
        )

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A step that ends with the block."""
        self.begin(name)
        try:
            yield
        except DavitError as error:
            self.end(error.message)
            raise
        self.end()

    def _log(self, stream: int, text: str) -> None:
        if self._now is not None:
            data = text.encode()
            at = time.time_ns()
            self._report(VertexLog(vertex=self._now.digest, at=at, stream=stream, data=data))

    def _show_progress(self, line: Progress) -> None:
        amount = line.detail
        if not line.id:
            self._log(1, f"{line.status}\n")
        elif amount is not None:
            what = f"{line.id} {line.status.lower()}"
            done = 0 < amount.total <= amount.current
            self.amount(what, amount.current, amount.total, done=done)
