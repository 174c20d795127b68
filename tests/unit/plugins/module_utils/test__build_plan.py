# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Builds: facts in, actions out."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.davit.fleet.plugins.module_utils._build_plan import (
    ARGUMENTS,
    BUILT_OF,
    key,
    plan,
    query,
)


def wanted(**options: Any) -> dict[str, Any]:
    defaults = {name: spec.get("default") for name, spec in ARGUMENTS.items()}
    return {**defaults, "name": "app", "context": "/c", **options}


def image(built_of: str | None) -> dict[str, Any]:
    return {"Id": "sha256:1", "Config": {"Labels": built_of and {BUILT_OF: built_of}}}


@pytest.mark.parametrize(
    ("options", "found", "reasons"),
    [
        ({}, None, [""]),
        ({}, image("k"), []),
        ({}, image("other"), ["the context or an option is another one"]),
        ({}, image(None), ["the one that is there was not built by the fleet"]),
        ({"force": True}, image("k"), ["forced"]),
    ],
)
def test_plan(options: dict[str, Any], found: dict[str, Any] | None, reasons: list[str]) -> None:
    assert [item.reason for item in plan(wanted(**options), found, "k")] == reasons


def test_key_is_of_what_makes_another_image() -> None:
    same = [wanted(), wanted(pull=True), wanted(nocache=True), wanted(cache_from=["x"])]
    assert len({key(options, "sha256:c") for options in same}) == 1
    others = [wanted(), wanted(args={"A": "1"}), wanted(target="t"), wanted(labels={"a": "b"})]
    assert len({key(options, "sha256:c") for options in others}) == len(others)
    assert key(wanted(), "sha256:c") != key(wanted(), "sha256:d")


def test_query() -> None:
    asked = query(wanted(args={"N": 1}, labels={"a": True}), "k")
    assert asked["t"] == "app:latest"
    assert asked["buildargs"] == {"N": "1"}
    assert asked["labels"] == {"a": "True", BUILT_OF: "k"}
    assert "target" not in asked
    assert "cachefrom" not in asked
