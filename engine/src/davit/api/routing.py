"""Routes and the call that reaches a handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import web

from davit.errors import InvalidParameter
from davit.model import codec
from davit.model.filters import Filters

T = TypeVar("T")

API_VERSION = (1, 51)
MIN_API_VERSION = (1, 24)
_FALSE = ("", "0", "no", "false", "none")


class Call:
    """One request: its API version, path names, query and body."""

    def __init__(self, request: web.Request, version: tuple[int, int]) -> None:
        self.request = request
        self.version = version

    def name(self, key: str = "name") -> str:
        """A variable part of the path."""
        return self.request.match_info[key]

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

    def filters(self, *known: str) -> Filters:
        return Filters.parse(self.request.query.get("filters"), known)

    async def body(self, shape: type[T]) -> T:
        """The JSON body. Raises InvalidParameter naming the field."""
        return codec.parse(await self.request.read(), shape)


Handler = Callable[[Call], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Route:
    """A row of a route table. path: aiohttp's syntax, without the version."""

    method: str
    path: str
    handler: Handler
    since: tuple[int, int] = MIN_API_VERSION
