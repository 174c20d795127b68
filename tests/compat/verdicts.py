"""What both result lists mean together: a pure comparison, and the words for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tests.compat.suite import Verdict


@dataclass(frozen=True)
class Comparison:
    """The names of tests, sorted.

    agreed: pass on davit as on dockerd. broken: pass on dockerd only, and nobody said why.
    excepted: the same, with a reason. healed: exceptions that pass now. unknown: exceptions that
    name no test that passes on dockerd.
    """

    agreed: list[str]
    broken: list[str]
    excepted: list[str]
    healed: list[str]
    unknown: list[str]

    @property
    def good(self) -> bool:
        return not (self.broken or self.healed or self.unknown)


def compare(
    dockerd: Collection[str], davit: Mapping[str, Verdict], exceptions: Collection[str]
) -> Comparison:
    """Compare the names that pass on dockerd with davit's verdicts."""
    passed = {name for name, verdict in davit.items() if verdict.passed}
    lost = set(dockerd) - passed
    return Comparison(
        agreed=sorted(set(dockerd) & passed),
        broken=sorted(lost - set(exceptions)),
        excepted=sorted(lost & set(exceptions)),
        healed=sorted(set(exceptions) & passed),
        unknown=sorted(set(exceptions) - set(dockerd)),
    )


def read_exceptions(text: str) -> dict[str, str]:
    """Read ``exceptions.txt``: a name in each line, below the ``# reason`` that holds for it."""
    reasons: dict[str, str] = {}
    reason: list[str] = []
    fresh = True
    for line in map(str.strip, text.splitlines()):
        if line.startswith("#"):
            if fresh:
                reason = []
            reason.append(line.lstrip("# "))
            fresh = False
        elif line:
            if line in reasons:
                raise ValueError(f"exceptions: {line} stands there twice")
            if not reason:
                raise ValueError(f"exceptions: {line} has no reason")
            reasons[line] = " ".join(reason)
            fresh = True
    return reasons


def read_names(text: str) -> list[str]:
    """Read a list of tests: a name in each line, comments after ``#``."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def report(
    comparison: Comparison,
    dockerd: Mapping[str, Verdict],
    davit: Mapping[str, Verdict],
    reasons: Mapping[str, str],
) -> str:
    """Tell what is wrong, each test with what both engines made of it; then the counts."""
    lines: list[str] = []
    for name in comparison.broken:
        lines += [f"\nFAILS ON DAVIT: {name}", _side("dockerd", dockerd.get(name, _RECORDED))]
        lines += [_side("davit", davit.get(name, _ABSENT))]
    for name in comparison.healed:
        lines.append(f"\nPASSES NOW, take it out of the exceptions: {name}\n  ({reasons[name]})")
    for name in comparison.unknown:
        lines.append(f"\nNO SUCH TEST passes on dockerd, but the exceptions name it: {name}")
    lines.append(
        f"\n{len(comparison.agreed)} pass on both, {len(comparison.excepted)} are excepted, "
        f"{len(comparison.broken)} fail on davit only"
    )
    return "\n".join(lines)


_RECORDED = Verdict("passed", "when the list was recorded")
_ABSENT = Verdict("not run", "the suite ended early, or could not be read")


def _side(name: str, verdict: Verdict) -> str:
    text = "\n".join(f"    {line}" for line in verdict.text.strip().splitlines())
    return f"  {name}: {verdict.outcome}\n{text}".rstrip()
