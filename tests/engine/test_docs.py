"""docs/daemon.md has each setting, and says right which change without a restart."""

from __future__ import annotations

import re
from pathlib import Path

from davit.config import LIVE
from davit.flags import OPTIONS

_ROW = re.compile(r"\| `(?P<key>[a-z0-9-]+)`(?P<list> \(list\))? \|.*\|.*\|(?P<live>.*)\|")


def test_the_table_of_settings() -> None:
    text = (Path(__file__).parents[2] / "docs/daemon.md").read_text()
    rows = {match["key"]: match for match in map(_ROW.fullmatch, text.splitlines()) if match}
    assert list(rows) == [option.names[0] for option in OPTIONS]
    for option in OPTIONS:
        row = rows[option.names[0]]
        assert bool(row["list"]) == option.many, option.names
        assert (row["live"].strip() == "yes") == (option.field in LIVE), option.names
