"""JSON at the borders: requests in, answers and rows out."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from davit.errors import InvalidParameter

T = TypeVar("T")

encode = msgspec.json.encode


def parse(body: bytes, shape: type[T]) -> T:
    """Decode a request's JSON into ``shape``. Raises InvalidParameter naming the field.

    ``null`` is treated as absent, as Go's decoder does: Docker's clients send it freely.
    """
    try:
        raw = msgspec.json.decode(body or b"{}")
    except msgspec.DecodeError as error:
        raise InvalidParameter(f"invalid JSON in the request body: {error}") from None
    return convert(raw, shape)


def convert(raw: Any, shape: type[T]) -> T:
    """Turn decoded JSON into ``shape``. Raises InvalidParameter naming the field."""
    try:
        return msgspec.convert(_without_nulls(raw), shape)
    except msgspec.ValidationError as error:
        raise InvalidParameter(f"invalid request: {error}") from None


def decode(row: bytes | str, shape: type[T]) -> T:
    """Decode what davit itself wrote."""
    return msgspec.json.decode(row, type=shape)


def builtins(value: Any) -> Any:
    """Return a struct as dicts and lists with its wire names."""
    return msgspec.to_builtins(value)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
