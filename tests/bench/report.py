"""What the benchmark shows: a table for people, JSON for tools."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Row:
    """One comparison. budget: the largest ratio davit to Moby that the design allows.

    limit: the largest amount, whatever Moby has.
    """

    what: str
    unit: str
    moby: float
    davit: float
    budget: float | None = None
    limit: float | None = None

    @property
    def ratio(self) -> float:
        return self.davit / self.moby


def table(rows: list[Row], machine: dict[str, str]) -> str:
    """Return a Markdown table with the machine below it."""
    lines = [
        "| what | Moby | davit | davit / Moby | budget |",
        "|---|--:|--:|--:|--:|",
    ]
    for row in rows:
        budget = "" if row.budget is None else f"≤ {row.budget:.2f}"
        if row.limit is not None:
            budget = f"≤ {row.limit:.0f} {row.unit}"
        lines.append(
            f"| {row.what} | {_amount(row.moby)} {row.unit} | {_amount(row.davit)} {row.unit} "
            f"| {row.ratio:.2f} | {budget} |"
        )
    facts = ", ".join(f"{name} {value}" for name, value in machine.items())
    return "\n".join([*lines, "", facts])


def as_json(rows: list[Row], machine: dict[str, str]) -> str:
    """Return the same as JSON: ``{"machine": {…}, "rows": [{what, unit, moby, …}]}``."""
    return json.dumps(
        {"machine": machine, "rows": [{**asdict(row), "ratio": row.ratio} for row in rows]},
        indent=2,
    )


def _amount(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"
