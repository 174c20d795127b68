"""Names of images, and the digests to which services are pinned."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.davit.fleet.plugins.module_utils._errors import EngineError
from ansible_collections.davit.fleet.plugins.module_utils._swarm.service.image import (
    Choice,
    Pinned,
    ask,
    asks,
    choose,
    doubt,
)
from tests.unit.plugins.module_utils._swarm.fakes import FakeEngine

DIGEST = f"sha256:{'a' * 64}"
PINNED = f"web:1@{DIGEST}"


@pytest.mark.parametrize(
    ("image", "when", "shown", "expected"),
    [
        ("web:1", "changed", "", True),
        ("web:1", "changed", PINNED, False),
        ("docker.io/library/web:1", "changed", PINNED, False),
        ("web", "changed", "web:latest", False),
        ("web:2", "changed", PINNED, True),
        ("web:1", "always", PINNED, True),
        ("web:1", "never", "", False),
        (PINNED, "always", "", False),
        (DIGEST, "always", "", False),
        ("", "always", PINNED, False),
    ],
)
def test_when_a_registry_is_asked(image: str, when: str, shown: str, expected: bool) -> None:
    assert asks({"image": image, "resolve_image": when}, shown) == expected


@pytest.mark.parametrize(
    ("image", "shown", "expected"),
    [
        ("web", "", Choice("web:latest", [])),
        ("web:1", PINNED, Choice("web:1", [])),
        ("web:1", "web:1", Choice("web:1")),
        (PINNED, PINNED, Choice(PINNED)),
        (DIGEST, "", Choice(DIGEST, [])),
        (DIGEST, DIGEST, Choice(DIGEST)),
    ],
)
def test_what_is_not_resolved(image: str, shown: str, expected: Choice) -> None:
    assert choose({"image": image, "resolve_image": "never"}, shown, None) == expected


def test_what_a_registry_says() -> None:
    platforms = [
        {"architecture": "amd64", "os": "linux"},
        {"architecture": "arm", "os": "linux", "variant": "v7"},
        {"architecture": "unknown", "os": ""},
    ]
    told = {"Descriptor": {"digest": DIGEST}, "Platforms": platforms}
    engine = FakeEngine({"distribution/web:1/json": told})
    assert ask(engine, "web:1", {}) == Pinned(DIGEST, (("amd64", "linux"), ("", "linux")))


def test_a_registry_that_does_not_answer() -> None:
    class Alone(FakeEngine):
        def distribution(self, reference: str, auth: dict[str, str]) -> dict[str, Any]:
            raise EngineError("GET", 500, "no such host")

    found = ask(Alone({}), "10.0.0.1:5000/web:1", {})
    assert found.digest == ""
    assert "no such host; the engine's host must reach the registry" in found.problem
    assert "so it stays pinned as it is: no such host" in doubt("web:1", PINNED, found)
    assert "so each node looks for it by itself" in doubt("web:2", PINNED, found)
