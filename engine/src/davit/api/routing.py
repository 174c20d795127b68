"""Routes and the call that reaches a handler."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import web

from davit.errors import InvalidParameter
from davit.model import codec
from davit.model.filters import Filters
from davit.model.stream import PIECE

T = TypeVar("T")

API_VERSION = (1, 51)
MIN_API_VERSION = (1, 24)
_FALSE = ("", "0", "no", "false", "none")


class Call:
    """One request: its API version, path names, query and body.

    begun: the head of a streamed answer has been sent, so that an error can no longer be told.
    """

    def __init__(
        self, request: web.BaseRequest, version: tuple[int, int], names: Mapping[str, str]
    ) -> None:
        self.request = request
        self.version = version
        self.begun = False
        self._names = names

    def name(self, key: str = "name") -> str:
        """A variable part of the path."""
        return self._names[key]

    def text(self, key: str, default: str = "") -> str:
        return self.request.query.get(key, default)

    def texts(self, key: str) -> list[str]:
        return self.request.query.getall(key, [])

    def flag(self, key: str, default: bool = False) -> bool:
        """A boolean as Docker reads it: absent → default, ``0``, ``no``, ``false`` … are false."""
        value = self.request.query.get(key)
        return default if value is None else value.strip().lower() not in _FALSE

    def integer(self, key: str, default: int | None = None) -> int | None:
        """Raises InvalidParameter."""
        value = self.request.query.get(key)
        if value is None or value == "":
            return default
        try:
            return int(value)
        except ValueError:
            raise InvalidParameter(f"invalid {key}={value!r}: a whole number is needed") from None

    def chunks(self) -> AsyncIterator[bytes]:
        """The body, in pieces that are as large as what is read at a time, or smaller."""
        return self.request.content.iter_chunked(PIECE)

    def filters(self, *known: str) -> Filters:
        return Filters.parse(self.request.query.get("filters"), known)

    async def body(self, shape: type[T]) -> T:
        """The JSON body. Raises InvalidParameter naming the field."""
        text = await self.request.read()
        if b"\\u0000" in text:
            raise InvalidParameter("a NUL character in the body: take it out")
        return codec.parse(text, shape)


Handler = Callable[[Call], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Route:
    """A row of a route table.

    path: without the version; ``{name}`` is one segment, ``{name:.+}`` may hold slashes.
    abort: cancel the handler when its client goes away (streams, waits). Other handlers finish
    what they began.
    """

    method: str
    path: str
    handler: Handler
    since: tuple[int, int] = MIN_API_VERSION
    abort: bool = False


class Router:
    """Finds the route of a path: plain paths in a dict, the others by first segment."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._plain: dict[tuple[str, str], Route] = {}
        self._patterns: dict[tuple[str, str], list[tuple[re.Pattern[str], Route]]] = {}
        for route in routes:
            self._add(route)

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """Return the route and the variable parts of a decoded path without its version."""
        plain = self._plain.get((method, path))
        if plain is not None:
            return plain, {}
        for pattern, route in self._patterns.get((method, _first_segment(path)), ()):
            match = pattern.fullmatch(path)
            if match is not None:
                return route, match.groupdict()
        return None

    def _add(self, route: Route) -> None:
        if "{" not in route.path:
            # The first table that names a path has it, so that "not there yet" comes last.
            self._plain.setdefault((route.method, route.path), route)
            return
        parts = re.split(r"\{(\w+)(?::([^}]+))?\}", route.path)
        pattern = "".join(
            re.escape(literal) + (f"(?P<{name}>{shape or '[^/]+'})" if name else "")
            for literal, name, shape in zip(
                parts[0::3], [*parts[1::3], ""], [*parts[2::3], ""], strict=True
            )
        )
        key = (route.method, _first_segment(route.path))
        self._patterns.setdefault(key, []).append((re.compile(pattern), route))


def _first_segment(path: str) -> str:
    return path[1:].partition("/")[0]
