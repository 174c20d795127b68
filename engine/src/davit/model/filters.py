"""The ``filters`` parameter of list, prune and events calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from davit.errors import InvalidParameter
from davit.model import times


class Filters:
    """Filter name → accepted values. Values of one name are alternatives; names must all hold.

    Wire form: JSON ``{"label": ["a=b"], "status": ["exited"]}``; the older form
    ``{"label": {"a=b": true}}`` is read as well.
    """

    def __init__(self, values: Mapping[str, Iterable[str]] | None = None) -> None:
        self._values = {name: list(accepted) for name, accepted in (values or {}).items()}

    @classmethod
    def parse(cls, text: str | None, known: Iterable[str]) -> Filters:
        """Read the parameter. Raises InvalidParameter for bad JSON or a name not in ``known``."""
        if not text:
            return cls()
        try:
            raw: Any = msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            raise InvalidParameter(f"invalid filters: not JSON: {error}") from None
        if not isinstance(raw, dict):
            raise InvalidParameter("invalid filters: an object of name → values is needed")
        known = set(known)
        values: dict[str, list[str]] = {}
        for name, accepted in raw.items():
            if name not in known:
                raise InvalidParameter(
                    f"invalid filter {name!r}; known here: {', '.join(sorted(known))}"
                )
            if isinstance(accepted, dict):
                accepted = [value for value, wanted in accepted.items() if wanted]
            if not isinstance(accepted, list) or not all(isinstance(v, str) for v in accepted):
                raise InvalidParameter(f"invalid filter {name!r}: a list of strings is needed")
            values[name] = accepted
        return cls(values)

    def __contains__(self, name: str) -> bool:
        return bool(self._values.get(name))

    def get(self, name: str) -> list[str]:
        return self._values.get(name, [])

    def accepts(self, name: str, value: str) -> bool:
        """Whether the filter is not set, or names exactly this value."""
        accepted = self._values.get(name)
        return not accepted or value in accepted

    def accepts_any(self, name: str, values: Iterable[str]) -> bool:
        """Whether the filter is not set, or names one of these values."""
        accepted = self._values.get(name)
        return not accepted or any(value in accepted for value in values)

    def flag(self, name: str) -> bool | None:
        """Return a boolean filter's value, None when it is not set. Raises InvalidParameter."""
        if name not in self:
            return None
        value = self._values[name][0].lower()
        if value in ("1", "true", "t"):
            return True
        if value in ("0", "false", "f"):
            return False
        raise InvalidParameter(f"invalid filter '{name}={value}': true or false is needed")

    def until(self) -> int | None:
        """Return what prune's ``until`` means, in ns; None when it is not set.

        Raises InvalidParameter.
        """
        given = self.get("until")
        if len(given) > 1:
            raise InvalidParameter("more than one until filter specified: give one")
        return times.parse_timestamp(given[0]) if given else None

    def accepts_labels(self, labels: Mapping[str, str], name: str = "label") -> bool:
        """Whether all ``key`` and ``key=value`` terms hold (labels are the one AND filter)."""
        return all(_label_holds(term, labels) for term in self.get(name))

    def rejects_labels(self, labels: Mapping[str, str], name: str = "label!") -> bool:
        """Whether one of the terms of ``label!`` holds."""
        return any(_label_holds(term, labels) for term in self.get(name))


def _label_holds(term: str, labels: Mapping[str, str]) -> bool:
    key, equals, value = term.partition("=")
    return key in labels and (not equals or labels[key] == value)
