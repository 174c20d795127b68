"""An engine that answers from a table, and writes down what it was told."""

from __future__ import annotations

from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._client import Engine
from ansible_collections.davit.fleet.plugins.module_utils._http import Target


class FakeEngine(Engine):
    """answers: by the path of a GET."""

    def __init__(self, answers: dict[str, Any]) -> None:
        super().__init__(Target("unix:///run/none"))
        self.answers = answers
        self.calls: list[tuple[str, dict[str, Any], Any]] = []

    def _call(
        self,
        method: str,
        path: tuple[str, ...],
        query: dict[str, Any],
        body: Any = None,
        headers: dict[str, str] | None = None,
    ):
        if method == "GET":
            return self.answers["/".join(path)]
        self.calls.append((f"{method} {'/'.join(path)}", query, body))
        return {}
