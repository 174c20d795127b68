"""Docker's published descriptions of the Engine API, and answers held against them.

The descriptions (``docker-v1.51.yaml``, ``docker-v1.41.yaml``; Swagger 2.0) are not part of this
repository: they are looked for in ``$DAVIT_API_DESCRIPTIONS``, then in ``shared/api`` beside the
clone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft4Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

_BESIDE = Path(__file__).parents[4] / "shared/api"
_ROOT = "urn:engine-api"
# Keywords that say nothing of an answer's shape.
_REMARKS = {"example", "description", "x-nullable", "default", "x-go-name", "title"}
# Docker answers null for "not set", and for "has not ended yet"; the descriptions do not say so.
_NULL = {"MemorySwappiness", "ExitCode"}
NEWEST, OLDEST = "1.51", "1.41"
Schema = dict[str, Any]


def path(version: str) -> Path:
    """Return the file of a version (``1.51``); skips the test when it is not on this machine."""
    directory = Path(os.environ.get("DAVIT_API_DESCRIPTIONS", _BESIDE))
    found = directory / f"docker-v{version}.yaml"
    if not found.exists():
        pytest.skip(f"no {found}: set DAVIT_API_DESCRIPTIONS to the folder with the descriptions")
    return found


class Description:
    """One version's description.

    strict: a name that is not described is wrong. Clients skip names of later versions, and Docker
    itself leaves these in its answers, so only the newest version is held to that.
    """

    def __init__(self, version: str, *, strict: bool) -> None:
        self._strict = strict
        self._raw: Schema = yaml.load(path(version).read_bytes(), Loader=yaml.CSafeLoader)
        definitions = self._raw["definitions"]
        whole = {"definitions": {name: self._schema(row) for name, row in definitions.items()}}
        resource = Resource.from_contents(whole, default_specification=DRAFT4)
        self._registry: Registry[Any] = Registry().with_resource(_ROOT, resource)

    def operations(self) -> list[tuple[str, str]]:
        """Return method and path of everything that is described."""
        return [
            (method.upper(), target)
            for target, methods in self._raw["paths"].items()
            for method in methods
        ]

    def complaints(self, method: str, target: str, status: int, body: Any) -> list[str]:
        """Return what is wrong with an answer: types, values, names that are not described.

        An answer with a status that is not described is held against the error's shape.
        """
        answers = self._raw["paths"][target][method.lower()]["responses"]
        answer = answers.get(str(status)) or answers.get(status)
        schema = answer.get("schema") if answer else {"$ref": "#/definitions/ErrorResponse"}
        if schema is None:
            return []
        return self._complaints(schema, body)

    def complaints_of(self, definition: str, body: Any) -> list[str]:
        """The same, for a named shape."""
        return self._complaints({"$ref": f"#/definitions/{definition}"}, body)

    def fields(self, definition: str) -> set[str]:
        """Return the names of a definition's properties."""
        return set(self._merged(self._raw["definitions"][definition]).get("properties", {}))

    def _complaints(self, schema: Schema, body: Any) -> list[str]:
        validator = Draft4Validator(self._schema(schema), registry=self._registry)
        return [
            f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
            for error in _leaves(validator.iter_errors(body))
        ]

    def _schema(self, schema: Any) -> Any:
        """JSON Schema of a Swagger schema.

        Lists and objects may be null: an empty one of Go's is, Docker's clients live with it, and
        the descriptions say so at some places only.
        """
        if isinstance(schema, list):
            return [self._schema(entry) for entry in schema]
        if not isinstance(schema, dict):
            return schema
        if "$ref" in schema:
            return {"$ref": _ROOT + schema["$ref"]}
        schema = self._merged(schema)
        made = {
            key: {name: self._property(name, row) for name, row in value.items()}
            if key == "properties"
            else self._schema(value)
            for key, value in schema.items()
            if key not in _REMARKS
        }
        if self._strict and schema.get("properties") and "additionalProperties" not in schema:
            made["additionalProperties"] = False
        if schema.get("x-nullable") or schema.get("type") in ("array", "object"):
            return {"anyOf": [made, {"type": "null"}]}
        return made

    def _property(self, name: str, schema: Schema) -> Any:
        made = self._schema(schema)
        return {"anyOf": [made, {"type": "null"}]} if name in _NULL else made

    def _merged(self, schema: Schema) -> Schema:
        """Put the parts of ``allOf`` together: each alone would know the others' names not."""
        if "allOf" not in schema:
            return schema
        made: Schema = {"type": "object", "properties": {}}
        for part in schema["allOf"]:
            if "$ref" in part:
                part = self._raw["definitions"][part["$ref"].rpartition("/")[2]]
            if "type" in part and part["type"] != "object":
                return part  # A plain value with a name, and remarks beside it.
            made["properties"].update(self._merged(part).get("properties", {}))
        return made


@cache
def description(version: str) -> Description:
    return Description(version, strict=version == NEWEST)


def _leaves(errors: Any) -> Iterator[Any]:
    """Look into ``anyOf``: that something is neither null nor right says less than why."""
    for error in errors:
        inner = [cause for cause in error.context or () if cause.validator_value != "null"]
        if error.validator == "anyOf" and inner:
            yield from _leaves(inner)
        else:
            yield error
