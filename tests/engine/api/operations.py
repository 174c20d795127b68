"""The tables of ``docs/api.md``, made from the routing tables.

``python -m tests.engine.api.operations`` writes them into the document.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from unittest.mock import Mock

from davit.api import routes as package
from davit.api.routes import missing, swarm
from davit.api.routing import MIN_API_VERSION, Route

DOCUMENT = Path(__file__).parents[3] / "docs/api.md"
_BEGIN, _END = "<!-- operations: begin -->\n", "<!-- operations: end -->\n"
_REMARKS = {
    "GET /plugins": "an empty list: davit has none",
    "POST /build": "classic, or with a session (version=2); `X-Davit-Secrets` for other clients",
    "POST /grpc": "BuildKit's control API, as far as `docker buildx build` asks for it",
    "POST /images/create": "done for pulls, and for archives in the body",
    "POST /session": "what BuildKit's client lends to a build: files, secrets, credentials, agents",
}
_OF_A_SWARM = "503: of managers only"
_NO_PLUGINS = "404: there are no plugins"


def served() -> list[Route]:
    """Return all routes that do something; their services are mocks that nobody calls."""
    found: list[Route] = []
    for module in pkgutil.iter_modules(package.__path__):
        if module.name == "missing":
            continue
        table = importlib.import_module(f"{package.__name__}.{module.name}")
        if hasattr(table, "routes"):
            needed = inspect.signature(table.routes).parameters
            found += table.routes(*(Mock() for _ in needed))
    return found


def shown(method: str, path: str) -> str:
    """``GET /images/{name}/json``, as Docker's documentation writes it."""
    return f"{method} {re.sub(':[^}]+', '', path)}"


def rows() -> dict[str, tuple[str, str]]:
    """Return operation → version that it came with, and its state."""
    found = {}
    of_managers = {shown(*operation) for operation in swarm.of_managers()}
    for route in served():
        operation = shown(route.method, route.path)
        since = "" if route.since == MIN_API_VERSION else ".".join(map(str, route.since))
        state = _REMARKS.get(operation, "done")
        if "/plugins/" in operation:
            state = _NO_PLUGINS
        elif operation in of_managers:
            state = _OF_A_SWARM
        found[operation] = (since, state)
    for row in missing.refusals():
        found[shown(row.method, row.path)] = ("", f"501: {row.reason}")
    return found


def render() -> str:
    """Return the tables, one for each kind of object."""
    groups: dict[str, list[str]] = {}
    for operation, (since, state) in sorted(rows().items(), key=_order):
        path = operation.partition(" ")[2]
        group = path.split("/")[1] if path.count("/") > 1 else _alone(path)
        groups.setdefault(group, []).append(f"| `{operation}` | {since} | {state} |")
    parts = []
    for group in sorted(groups):
        parts.append(f"### {group}\n\n| operation | since | state |\n|---|---|---|\n")
        parts.append("\n".join(groups[group]) + "\n\n")
    return "".join(parts)


def document() -> str:
    """Return what ``docs/api.md`` has to be: its text as it is, with the tables as they are."""
    before, _, rest = DOCUMENT.read_text().partition(_BEGIN)
    after = rest.partition(_END)[2]
    return f"{before}{_BEGIN}\n{render()}{_END}{after}"


def _order(item: tuple[str, tuple[str, str]]) -> tuple[str, str]:
    method, _, path = item[0].partition(" ")
    return path, method


def _alone(path: str) -> str:
    """The group of a path of one part: that of its longer fellows, or the daemon's own."""
    name = path[1:]
    fellows = ("configs", "images", "networks", "nodes", "plugins", "secrets", "services")
    return name if name in (*fellows, "build", "swarm", "tasks", "volumes") else "system"


if __name__ == "__main__":
    DOCUMENT.write_text(document())
