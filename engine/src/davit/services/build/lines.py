"""What a classic build says: one line of text after another."""

from __future__ import annotations

from typing import Protocol

from davit.model import ids
from davit.model.build import BuildLine, Event, Output, StepBegun, StepCached, Warned
from davit.model.image import Progress

_STDERR = 2


class Print(Protocol):
    def __call__(self, line: BuildLine | Progress, /) -> None: ...


class Lines:
    """quiet: the image's ID is all, unless it fails."""

    def __init__(self, report: Print, *, quiet: bool) -> None:
        self._report = report
        self._quiet = quiet
        self._kept: list[BuildLine] = []
        self.begun = False

    def show(self, event: Event) -> None:
        line = _line(event)
        self.begun = True
        if not self._quiet:
            self._report(line)
        elif isinstance(line, BuildLine):
            self._kept.append(line)

    def done(self, image_id: str, tags: tuple[str, ...]) -> None:
        if self._quiet:
            self._report(BuildLine(stream=f"{image_id}\n"))
            return
        self._report(BuildLine(aux={"ID": image_id}))
        self._report(BuildLine(stream=f"Successfully built {ids.short(image_id)}\n"))
        for tag in tags:
            self._report(BuildLine(stream=f"Successfully tagged {tag}\n"))

    def fail(self, message: str, code: int = 0) -> None:
        for line in self._kept:
            self._report(line)
        detail: dict[str, object] = {"code": code} if code else {}
        self._report(BuildLine(error_detail={**detail, "message": message}, error=message))


def _line(event: Event) -> BuildLine | Progress:
    if isinstance(event, StepBegun):
        return BuildLine(stream=f"Step {event.number}/{event.total} : {event.text}\n")
    if isinstance(event, StepCached):
        return BuildLine(stream=" ---> Using cache\n")
    if isinstance(event, Output):
        # Clients tell errors by their colour.
        red = event.stream == _STDERR
        return BuildLine(stream=f"\x1b[91m{event.text}\x1b[0m" if red else event.text)
    if isinstance(event, Warned):
        return BuildLine(stream=f"[Warning] {event.text}\n")
    return event
