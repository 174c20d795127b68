# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""One row an option, and the three-way comparison that all rows share.

The three sides are what is wanted, what was applied last, and what the engine shows. An option that
is wanted must show. One that is not wanted but was applied must show its default again. Whatever
else the engine shows is its own business (normalisation, defaults, what the image says).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Dict, Tuple

from ansible_collections.davit.fleet.plugins.module_utils._errors import Invalid

Options = Dict[str, Any]  # option name → value; None and a missing key both mean "not given"
Version = Tuple[int, int]  # of the API


def _same(value: Any) -> Any:
    return value


def _nothing(config: dict[str, Any]) -> Any:
    return None


def _never(value: Any) -> bool:
    return False


def _no_values(tree: dict[str, Any]) -> tuple[Any, ...]:
    return ()


@dataclass(frozen=True)
class Field:
    """A row: the option, where the API keeps it, and how to compare.

    spec: the option's argument_spec. path: dotted place in the create body and in inspect.
    encode: option value → API value. canon: API value → a form in which equal means equal.
    entries: the value is a map (or made one by ``canon``) to which the image may add entries; only
    entries that are wanted or were applied are compared.
    default: API value when the option is not given; from_image: what the image's ``Config`` says.
    live: whether this API value can be set on a container without making it anew.
    watched: drift is repaired even where the option has never been given.
    follows: what the engine sets by itself beside the other values of a create body or inspect,
    the value to go back to first; any other value is a leftover.
    since: the API that knows it, where that is not the oldest. The key is empty for the option as a
    whole, ``=value`` for one of its values, ``part`` for one of its suboptions, ``part=value`` for
    one of their values.
    """

    name: str
    spec: dict[str, Any]
    path: str
    encode: Callable[[Any], Any] = _same
    canon: Callable[[Any], Any] = _same
    entries: bool = False
    default: Any = None
    from_image: Callable[[dict[str, Any]], Any] = _nothing
    live: Callable[[Any], bool] = _never
    watched: bool = False
    follows: Callable[[dict[str, Any]], tuple[Any, ...]] = _no_values
    since: dict[str, Version] = field(default_factory=dict)

    def wire(self, options: Options) -> Any:
        """The API value that is asked for, None when the option is not given. Raises Invalid."""
        value = options.get(self.name)
        if value is None:
            return None
        try:
            return self.encode(value)
        except ValueError as error:
            raise Invalid(f"{self.name}: {error}") from None

    def last(self, applied: Options) -> Any:
        """The API value that was asked for last; None when an earlier release knew other values."""
        try:
            return self.wire(applied)
        except (Invalid, TypeError, AttributeError):
            return None


@dataclass(frozen=True)
class Change:
    """A difference. value: the API value to set when it can be set live."""

    row: Field
    before: Any
    after: Any
    value: Any = None

    @property
    def live(self) -> bool:
        return self.row.live(self.value)


@dataclass(frozen=True)
class Sides:
    """What is compared. shown: the engine's inspect; image: the image's ``Config``."""

    wanted: Options
    applied: Options
    shown: dict[str, Any]
    image: dict[str, Any] = field(default_factory=dict)
    owned: bool = False


def changes(rows: list[Field], sides: Sides) -> list[Change]:
    """Return the differences that the fleet answers for, in the rows' order."""
    asked = body(rows, sides.wanted)
    found = (_entries(row, sides) if row.entries else _value(row, sides, asked) for row in rows)
    return [change for change in found if change is not None]


def _value(row: Field, sides: Sides, asked: dict[str, Any]) -> Change | None:
    wanted = row.wire(sides.wanted)
    shown = row.canon(dig(sides.shown, row.path))
    if wanted is not None and _is_applied(row, sides, wanted, shown):
        return None
    if wanted is None:
        given_before = sides.applied.get(row.name) is not None
        own = row.follows(sides.shown)
        if own and not given_before:
            if not sides.owned or shown in own:
                return None
            wanted = row.follows(asked)[0]
            return Change(row, shown, row.canon(wanted), wanted)
        if not given_before and not (row.watched and sides.owned):
            return None
        wanted = row.from_image(sides.image)
        if wanted is None:
            wanted = row.default
    after = row.canon(wanted)
    return None if shown == after else Change(row, shown, after, wanted)


def _is_applied(row: Field, sides: Sides, wanted: Any, shown: Any) -> bool:
    """Whether the value was applied already and cannot have changed since.

    What cannot be set live is as it was made, in whatever words the engine shows it (it writes
    ``container:ID`` for ``container:NAME``). A limit that cannot be taken off live and does not
    show was never taken by the engine: the host's kernel lacks it.
    """
    last = row.last(sides.applied)
    if last is None or row.canon(last) != row.canon(wanted):
        return False
    if not row.live(wanted):
        return True
    return not row.live(row.default) and shown == row.canon(row.default)


def _entries(row: Field, sides: Sides) -> Change | None:
    wanted = row.canon(row.wire(sides.wanted)) or {}
    applied = row.canon(row.last(sides.applied)) or {}
    shown = row.canon(dig(sides.shown, row.path)) or {}
    image = row.canon(row.from_image(sides.image)) or {}
    expected = {key: image.get(key) for key in applied}
    expected.update(wanted)
    wrong = [key for key, value in expected.items() if shown.get(key) != value]
    if not wrong:
        return None
    before = {key: shown[key] for key in wrong if shown.get(key) is not None}
    after = {key: expected[key] for key in wrong if expected[key] is not None}
    return Change(row, before, after)


def body(rows: list[Field], options: Options) -> dict[str, Any]:
    """Return the API's create body for what is given."""
    result: dict[str, Any] = {}
    for row in rows:
        value = row.wire(options)
        if value is not None:
            plant(result, row.path, value)
    return result


def dig(tree: dict[str, Any], path: str) -> Any:
    """Return what stands at a dotted path, None when something is missing on the way."""
    node: Any = tree
    for step in path.split("."):
        node = (node or {}).get(step)
    return node


def plant(tree: dict[str, Any], path: str, value: Any) -> None:
    """Set a value at a dotted path; a map or a list is added to one that is there."""
    *steps, last = path.split(".")
    for step in steps:
        tree = tree.setdefault(step, {})
    present = tree.get(last)
    if isinstance(present, dict) and isinstance(value, dict):
        present.update(value)
    elif isinstance(present, list) and isinstance(value, list):
        present.extend(value)
    else:
        tree[last] = value


def given(options: Options) -> Options:
    """Drop what was not given, so that the rest can be kept as last applied."""
    return {name: value for name, value in options.items() if value is not None}
