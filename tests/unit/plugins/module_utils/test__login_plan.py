# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Logins: Docker's file in, actions out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.davit.fleet.plugins.module_utils import _login_plan, _registry
from ansible_collections.davit.fleet.plugins.module_utils._errors import Invalid


def wanted(**options: Any) -> dict[str, Any]:
    task = {"registry": "r.example", "state": "present", "username": "u", "password": "p"}
    return {**task, **options}


def file(name: str = "r.example", password: str = "p") -> dict[str, Any]:
    return {"auths": {name: _registry.entry("u", password, "")}, "currentContext": "x"}


@pytest.mark.parametrize(
    ("options", "content", "verbs"),
    [
        ({}, {}, ["create"]),
        ({}, file(), []),
        ({}, file(password="old"), ["change"]),
        ({"username": "v"}, file(), ["change"]),
        # Written by another program in another way: one entry is left of both.
        ({}, file("https://r.example/v2/"), ["change"]),
        ({"state": "absent"}, file(), ["remove"]),
        ({"state": "absent"}, {}, []),
    ],
)
def test_plan(options: dict[str, Any], content: dict[str, Any], verbs: list[str]) -> None:
    assert [item.verb for item in _login_plan.plan(wanted(**options), content, "")] == verbs


def test_a_token_is_kept_in_place_of_the_password() -> None:
    (action,) = _login_plan.plan(wanted(), {}, "token1")
    entry = action.data["entry"]
    assert entry["identitytoken"] == "token1"
    assert _registry.decoded(entry) == {"username": "u", "identitytoken": "token1"}
    # The registry gives another one each time.
    assert _login_plan.plan(wanted(), {"auths": {"r.example": entry}}, "token2") == []


def test_what_else_is_in_the_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    content = file("https://r.example/v2/", "old")
    content["auths"]["other.example"] = {"auth": "b2g="}
    (action,) = _login_plan.plan(wanted(), content, "")
    _login_plan.apply(action, str(path), content)
    assert json.loads(path.read_text()) == {
        "auths": {"other.example": {"auth": "b2g="}, "r.example": _registry.entry("u", "p", "")},
        "currentContext": "x",
    }


@pytest.mark.parametrize("key", [{"credsStore": "pass"}, {"credHelpers": {"r.example": "pass"}}])
def test_files_with_helpers_are_left_alone(key: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="helper pass"):
        _login_plan.plan(wanted(), key, "")


def test_secrets_do_not_show() -> None:
    (action,) = _login_plan.plan(wanted(password="sesame"), {}, "")
    assert "sesame" not in json.dumps([action.summary(), action.before, action.after])
