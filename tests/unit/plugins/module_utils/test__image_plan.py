"""Images: facts in, actions out."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError, Invalid
from ansible_collections.davit.fleet.plugins.module_utils._image_plan import (
    ARGUMENTS,
    asks,
    chain_ids,
    fits,
    identity,
    lacking,
    plan,
)

THERE = {"Id": "sha256:1"}
CHAIN = "sha256:970a948bffa8de94d6e22d747ba8c95030e6e546909f98f54e99a13005e173a8"


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


def test_archive_of_the_controller_is_loaded_from_its_parts() -> None:
    options = wanted(source="controller", archive_parts=["/1", "/2"])
    (action,) = plan(options, None, ["sha256:1"], lacking=["sha256:b"])
    assert (action.data["parts"], action.data["lacking"]) == (["/1", "/2"], ["sha256:b"])
    (action,) = plan(wanted(source="controller"), None, ["sha256:1"])
    assert not action.data["parts"]


def test_layers_are_there_only_on_the_same_base() -> None:
    there = set(chain_ids(["sha256:a", "sha256:b"]))
    assert lacking(["sha256:a", "sha256:b", "sha256:c"], there) == ["sha256:c"]
    assert lacking(["sha256:b"], there) == ["sha256:b"]
    assert lacking(["sha256:a"], there) == []


def test_chain_ids_are_those_of_the_specification() -> None:
    """Computed with sha256sum(1): of ``sha256:a sha256:b``."""
    assert chain_ids(["sha256:a", "sha256:b"]) == ["sha256:a", CHAIN]


def test_image_that_has_to_be_there() -> None:
    with pytest.raises(FleetError, match="app:1 is not on the host"):
        plan(wanted(source="local"), None, [])


def test_archive_is_needed() -> None:
    with pytest.raises(Invalid, match=r"^archive"):
        identity(wanted(source="host", archive=None))


def registry_image(**fields: Any) -> dict[str, Any]:
    """What an engine shows of an image that came from a registry."""
    digests = ["r.example/app@sha256:d1", "other/app@sha256:d9"]
    return {**THERE, "RepoDigests": digests, "Os": "linux", "Architecture": "amd64", **fields}


@pytest.mark.parametrize(
    ("options", "latest", "reasons"),
    [
        ({"pull": "always"}, "sha256:d1", []),
        ({"pull": "always"}, "sha256:d2", ["the registry has another one"]),
        # The digest of the same content in another repository.
        ({"pull": "always"}, "sha256:d9", ["the registry has another one"]),
        ({"pull": "always"}, "", ["to see whether there is a newer one"]),
        ({"pull": "missing"}, None, []),
        ({"pull": "missing", "platform": "linux/amd64"}, None, []),
        ({"pull": "missing", "platform": "x86_64"}, None, []),
        ({"pull": "missing", "platform": "linux/arm64"}, None, ["it is for linux/amd64"]),
    ],
)
def test_pull_of_what_is_there(
    options: dict[str, Any], latest: str | None, reasons: list[str]
) -> None:
    task = wanted(name="r.example/app:1", **options)
    assert [item.reason for item in plan(task, registry_image(), [], latest=latest)] == reasons


@pytest.mark.parametrize(
    ("options", "found", "asked"),
    [
        ({"pull": "always"}, THERE, True),
        ({"pull": "always"}, None, False),
        ({"pull": "missing"}, THERE, False),
        ({"pull": "always", "name": "app@sha256:d1"}, THERE, False),
        ({"pull": "always", "source": "local"}, THERE, False),
        ({"pull": "always", "state": "absent"}, THERE, False),
    ],
)
def test_registry_is_asked_only_where_its_answer_counts(
    options: dict[str, Any], found: dict[str, Any] | None, asked: bool
) -> None:
    assert asks(wanted(**options), found) is asked


def test_never_pulled() -> None:
    with pytest.raises(FleetError, match="app:1 is not on the host"):
        plan(wanted(pull="never"), None, [])
    with pytest.raises(FleetError, match="is for linux/amd64, not for linux/arm64"):
        plan(wanted(pull="never", platform="linux/arm64"), registry_image(), [])


def test_variants_that_an_image_does_not_tell_fit() -> None:
    found = registry_image(Architecture="arm")
    assert fits(found, "linux/arm/v7")
    assert not fits({**found, "Variant": "v6"}, "linux/arm/v7")
