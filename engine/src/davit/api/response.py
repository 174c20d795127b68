"""Answers."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from davit.model import codec


def json(value: Any, status: int = 200) -> web.Response:
    """Answer structs, dicts and lists as JSON."""
    return web.Response(body=codec.encode(value), status=status, content_type="application/json")


def no_content() -> web.Response:
    return web.Response(status=204)
