"""JSON at the borders: requests in, answers and rows out."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar, cast

import msgspec
from msgspec import inspect

from davit.errors import InvalidParameter

T = TypeVar("T")

encode = msgspec.json.encode


def parse(body: bytes, shape: type[T]) -> T:
    """Decode a request's JSON into ``shape``. Raises InvalidParameter naming the field.

    ``null`` is treated as absent and the case of field names does not count, as in Go's decoder:
    Docker's clients send ``null`` freely, and some send ``detachKeys``.
    """
    try:
        raw = msgspec.json.decode(body or b"{}")
    except msgspec.DecodeError as error:
        raise InvalidParameter(f"invalid JSON in the request body: {error}") from None
    return convert({} if raw is None else raw, shape)


def convert(raw: Any, shape: type[T]) -> T:
    """Turn decoded JSON into ``shape``. Raises InvalidParameter naming the field."""
    try:
        return msgspec.convert(_as_go(raw, _shape(cast(Any, shape))), shape)
    except msgspec.ValidationError as error:
        raise InvalidParameter(f"invalid request: {error}") from None


def decode(row: bytes | str, shape: type[T]) -> T:
    """Decode what davit itself wrote."""
    return msgspec.json.decode(row, type=shape)


def builtins(value: Any) -> Any:
    """Return a struct as dicts and lists with its wire names."""
    return msgspec.to_builtins(value)


def _as_go(value: Any, shape: inspect.Type) -> Any:
    """Drop nulls from objects and give fields the names that their structs know."""
    if isinstance(value, dict):
        if (struct := _member(shape, inspect.StructType)) is not None:
            fields = _fields(struct.cls)
            known = ((fields.get(key.lower()), key, item) for key, item in value.items())
            return {
                field.encode_name if field else key: _as_go(item, field.type if field else _ANY)
                for field, key, item in known
                if item is not None
            }
        found = _member(shape, inspect.DictType)
        inner = found.value_type if found else _ANY
        return {key: _as_go(item, inner) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        array = _member(shape, inspect.ListType)
        return [_as_go(item, array.item_type if array else _ANY) for item in value]
    return value


def _member(shape: inspect.Type, kind: type[T]) -> T | None:
    """Return the shape itself or the alternative of a union that is of this kind."""
    shapes = shape.types if isinstance(shape, inspect.UnionType) else (shape,)
    return next((one for one in shapes if isinstance(one, kind)), None)


@cache
def _shape(kind: type) -> inspect.Type:
    return inspect.type_info(kind)


@cache
def _fields(struct: type) -> dict[str, inspect.Field]:
    """Return a struct's fields by their wire names in lower case."""
    shape = _shape(struct)
    assert isinstance(shape, inspect.StructType)
    return {field.encode_name.lower(): field for field in shape.fields}


_ANY = inspect.AnyType()
