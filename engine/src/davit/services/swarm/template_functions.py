"""Pure: values of templates, and the functions that every one of them may call.

A function refuses by ValueError with a reason, or by TypeError for what its arguments are.
Source: text/template of Go, "Functions".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

Value = object
Function = Callable[..., Value]

_VERB = re.compile(r"%(-?\d*)(.?)", re.DOTALL)


class Fields(dict[str, Value]):
    """A value with fields, unlike a map with keys."""


def to_text(value: Value) -> str:
    """As Go prints it; a map by its keys' order."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{key}:{to_text(value[key])}' for key in sorted(value))}]"
    return str(value)


def _index(value: Value, *keys: Value) -> Value:
    for key in keys:
        if isinstance(value, Fields) or not isinstance(value, Mapping) or not isinstance(key, str):
            raise TypeError
        value = value.get(key, "")
    return value


def _join(separator: str, *words: str) -> str:
    return separator.join(words)


def _equal(one: Value, other: Value, *more: Value) -> bool:
    if any(type(value) is not type(one) for value in (other, *more)):
        raise ValueError("incompatible types for comparison")
    return one in (other, *more)


def _different(one: Value, other: Value) -> bool:
    return not _equal(one, other)


def _and(*values: Value) -> Value:
    return next((value for value in values if not value), values[-1])


def _or(*values: Value) -> Value:
    return next((value for value in values if value), values[-1])


def _not(value: Value) -> bool:
    return not value


def _length(value: Value) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, Mapping) and not isinstance(value, Fields):
        return len(value)
    raise TypeError


def _print(*values: Value) -> str:
    """Space only between two of which none is a string."""
    text = ""
    for number, value in enumerate(values):
        apart = number and not isinstance(value, str) and not isinstance(values[number - 1], str)
        text += (" " if apart else "") + to_text(value)
    return text


def _println(*values: Value) -> str:
    return " ".join(map(to_text, values)) + "\n"


def _printf(pattern: str, *values: Value) -> str:
    """With ``%s``, ``%d``, ``%v``, ``%q`` and their widths."""
    left = list(values)

    def fill(verb: re.Match[str]) -> str:
        width, kind = verb.groups()
        if kind == "%":
            return "%"
        if kind not in ("s", "d", "v", "q") or not left:
            raise ValueError("printf knows %s, %d, %v and %q, one for each argument")
        value = left.pop(0)
        if kind == "d" and (isinstance(value, bool) or not isinstance(value, int)):
            raise ValueError("%d needs a number")
        text = json.dumps(to_text(value), ensure_ascii=False) if kind == "q" else to_text(value)
        # A width is there to line words up; nobody needs megabytes of space.
        return f"%{width[:4]}s" % text

    text = _VERB.sub(fill, pattern)
    if left:
        raise ValueError("printf has more arguments than verbs")
    return text


FUNCTIONS: Mapping[str, Function] = {
    "and": _and,
    "eq": _equal,
    "index": _index,
    "join": _join,
    "len": _length,
    "ne": _different,
    "not": _not,
    "or": _or,
    "print": _print,
    "printf": _printf,
    "println": _println,
}
