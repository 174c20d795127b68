# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Pushes: facts in, actions out."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.davit.fleet.plugins.module_utils._errors import Invalid
from ansible_collections.davit.fleet.plugins.module_utils._push_plan import plan

ONE = {"Id": "sha256:1", "RepoDigests": ["r.example/app@sha256:d1", "r.example/b@sha256:d9"]}
TWO = {"Id": "sha256:2", "RepoDigests": []}


@pytest.mark.parametrize(
    ("image", "named", "remote", "verbs"),
    [
        (ONE, ONE, None, ["push"]),
        (ONE, ONE, "sha256:d1", []),
        (ONE, ONE, "sha256:d2", ["push"]),
        # The same digest, but of another repository: the registry has it there only.
        (ONE, ONE, "sha256:d9", ["push"]),
        (TWO, ONE, "sha256:d1", ["tag", "push"]),
        (ONE, None, "sha256:d1", ["tag"]),
        # In check mode: what is to be pushed is yet to be built.
        (None, None, None, ["push"]),
    ],
)
def test_plan(
    image: dict[str, Any] | None, named: dict[str, Any] | None, remote: str | None, verbs: list[str]
) -> None:
    actions = plan({"name": "r.example/app:1"}, image, named, remote)
    assert [action.verb for action in actions] == verbs


def test_digests_cannot_be_pushed() -> None:
    with pytest.raises(Invalid, match="needs a tag"):
        plan({"name": "r.example/app@sha256:d1"}, ONE, ONE, None)
