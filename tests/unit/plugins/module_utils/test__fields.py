# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""The three-way comparison: wanted, applied last, shown."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.davit.fleet.plugins.module_utils import _fields
from ansible_collections.davit.fleet.plugins.module_utils._errors import Invalid
from ansible_collections.davit.fleet.plugins.module_utils._fields import Field, Sides

MEMORY = Field("memory", {}, "HostConfig.Memory", int, default=0, live=bool, watched=True)
USER = Field("user", {}, "User", default="", from_image=lambda image: image.get("User"))
LABELS = Field("labels", {}, "Labels", entries=True, from_image=lambda image: image.get("Labels"))


def compare(row: Field, shown: Any, **sides: Any) -> tuple[Any, Any] | None:
    tree: dict[str, Any] = {}
    _fields.plant(tree, row.path, shown)
    wanted, applied = sides.pop("wanted", {}), sides.pop("applied", {})
    found = _fields.changes([row], Sides(wanted, applied, tree, **sides))
    return (found[0].before, found[0].after) if found else None


def test_as_wanted() -> None:
    assert compare(MEMORY, 64, wanted={"memory": 64}) is None


def test_drift_and_a_new_wish_are_the_same() -> None:
    assert compare(MEMORY, 32, wanted={"memory": 64}) == (32, 64)


def test_an_option_that_left_the_playbook_goes_back_to_its_default() -> None:
    assert compare(MEMORY, 64, applied={"memory": 64}) == (64, 0)
    assert compare(MEMORY, 0, applied={"memory": 64}) is None


def test_the_default_may_be_the_images() -> None:
    image = {"User": "app"}
    assert compare(USER, "root", applied={"user": "root"}, image=image) == ("root", "app")
    assert compare(USER, "app", applied={"user": "root"}, image=image) is None


def test_what_was_never_given_is_the_engines_business() -> None:
    assert compare(USER, "whoever") is None


def test_unless_it_is_watched_on_an_object_of_ours() -> None:
    assert compare(MEMORY, 64) is None
    assert compare(MEMORY, 64, owned=True) == (64, 0)


def test_entries_of_the_image_and_of_the_engine_stay() -> None:
    shown = {"a": "1", "image": "x", "engine": "y"}
    assert compare(LABELS, shown, wanted={"labels": {"a": "1"}}) is None


def test_only_the_wrong_entries_are_told() -> None:
    shown = {"a": "1", "b": "2", "old": "3"}
    assert compare(
        LABELS,
        shown,
        wanted={"labels": {"a": "1", "b": "9", "c": "4"}},
        applied={"labels": {"a": "1", "old": "3"}},
    ) == ({"b": "2", "old": "3"}, {"b": "9", "c": "4"})


def test_an_entry_that_is_dropped_goes_back_to_the_images() -> None:
    assert compare(
        LABELS,
        {"a": "mine"},
        applied={"labels": {"a": "mine"}},
        image={"Labels": {"a": "images"}},
    ) == ({"a": "mine"}, {"a": "images"})


def test_what_was_just_made_has_no_differences() -> None:
    """The body that is sent, taken as what the engine shows, is as wanted."""
    wanted = {"memory": "64", "user": "app", "labels": {"a": "1"}}
    rows = [MEMORY, USER, LABELS]
    shown = _fields.body(rows, wanted)
    assert _fields.changes(rows, Sides(wanted, wanted, shown, owned=True)) == []


def test_a_wrong_value_is_named() -> None:
    with pytest.raises(Invalid, match="memory: invalid literal"):
        MEMORY.wire({"memory": "much"})


def test_planting_adds_to_what_is_there() -> None:
    tree: dict[str, Any] = {}
    _fields.plant(tree, "a.b", {"x": 1})
    _fields.plant(tree, "a.b", {"y": 2})
    _fields.plant(tree, "a.c", [1])
    _fields.plant(tree, "a.c", [2])
    assert tree == {"a": {"b": {"x": 1, "y": 2}, "c": [1, 2]}}
    assert _fields.dig(tree, "a.b.x") == 1
    assert _fields.dig(tree, "a.z.x") is None
