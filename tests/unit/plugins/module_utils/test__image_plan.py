"""Images: facts in, actions out."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError, Invalid
from ansible_collections.davit.fleet.plugins.module_utils._image_plan import (
    ARGUMENTS,
    identity,
    plan,
)

THERE = {"Id": "sha256:1"}


def wanted(**options: Any) -> dict[str, Any]:
    defaults = {name: spec.get("default") for name, spec in ARGUMENTS.items()}
    return {**defaults, "name": "app:1", "archive": "/a.tar", **options}


@pytest.mark.parametrize(
    ("options", "found", "ids", "present", "verbs"),
    [
        ({"source": "controller"}, None, ["sha256:1"], None, ["load"]),
        ({"source": "controller"}, THERE, ["sha256:1"], None, []),
        ({"source": "controller"}, THERE, ["sha256:2"], None, ["load"]),
        ({"source": "controller"}, THERE, ["sha256:2"], "sha256:2", ["tag"]),
        ({"source": "controller"}, None, ["sha256:0", "sha256:1"], "sha256:1", ["tag"]),
        # An engine may show any of an archive's IDs: of the index, the manifest or the config.
        ({"source": "host"}, THERE, ["sha256:0", "sha256:1"], None, []),
        ({"source": "registry"}, None, [], None, ["pull"]),
        ({"source": "registry"}, THERE, [], None, []),
        ({"source": "registry", "pull": "always"}, THERE, [], None, ["pull"]),
        ({"source": "local"}, THERE, [], None, []),
        ({"state": "absent"}, THERE, [], None, ["remove"]),
        ({"state": "absent"}, None, [], None, []),
    ],
)
def test_plan(
    options: dict[str, Any],
    found: dict[str, Any] | None,
    ids: list[str],
    present: str | None,
    verbs: list[str],
) -> None:
    assert [item.verb for item in plan(wanted(**options), found, ids, present)] == verbs


@pytest.mark.parametrize("sent", [False, True])
def test_archive_of_the_controller_is_to_be_sent_first(sent: bool) -> None:
    options = wanted(source="controller", archive_sent=sent)
    assert plan(options, None, ["sha256:1"])[0].data["send"] is not sent


def test_image_that_has_to_be_there() -> None:
    with pytest.raises(FleetError, match="app:1 is not on the host"):
        plan(wanted(source="local"), None, [])


def test_archive_is_needed() -> None:
    with pytest.raises(Invalid, match=r"^archive"):
        identity(wanted(source="host", archive=None))
