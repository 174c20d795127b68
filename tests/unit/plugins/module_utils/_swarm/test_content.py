"""Secrets and configs: versions, services that go over, and what is collected."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.davit.fleet.plugins.module_utils._swarm import content
from ansible_collections.davit.fleet.plugins.module_utils._swarm.content import (
    ARGUMENTS,
    CONFIG,
    SECRET,
    Kind,
    plan,
)

KINDS = pytest.mark.parametrize("kind", [SECRET, CONFIG], ids=["secret", "config"])


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "_ROUNDS", 1)


def wanted(**options: Any) -> dict[str, Any]:
    defaults = {name: spec.get("default") for name, spec in ARGUMENTS.items()}
    return {**defaults, "name": "pw", **options}


class Swarm:
    """Carries plans out as a manager does."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.objects: dict[str, dict[str, Any]] = {}
        self.services: list[dict[str, Any]] = []
        self.made = 0

    def run(self, data: bytes, **options: Any) -> list[str]:
        """Return what was done, as words."""
        found = list(self.objects.values())
        plans = plan(self.kind, wanted(**options), data, found, self.services)
        for action in plans.actions:
            self._do(action)
        again = plan(self.kind, wanted(**options), data, list(self.objects.values()), self.services)
        assert again.actions == []
        assert again.name == plans.name
        return [f"{action.verb} {action.name}" for action in plans.actions]

    def use(self, service: str, name: str) -> None:
        reference = {self.kind.id_key: self.objects[name]["ID"], self.kind.name_key: name}
        container = {self.kind.references: [reference]}
        spec = {"Name": service, "TaskTemplate": {"ContainerSpec": container}}
        self.services.append({"ID": f"id-{service}", "Spec": spec})

    def _do(self, action: Any) -> None:
        if action.kind == "service":
            (service,) = (item for item in self.services if item["ID"] == action.data["id"])
            container = service["Spec"]["TaskTemplate"]["ContainerSpec"]
            for item in container[self.kind.references]:
                item[self.kind.id_key] = self.objects[action.data["to"]]["ID"]
            return
        if action.verb == "update":
            self.objects[action.name]["Spec"]["Labels"] = action.data["labels"]
        if action.verb in ("remove", "recreate"):
            del self.objects[action.name]
        if action.verb in ("create", "recreate"):
            self.made += 1
            spec = dict(action.data["body"])
            if self.kind.hidden:
                del spec["Data"]
            self.objects[action.name] = {"ID": f"id{self.made}", "Spec": spec}


@KINDS
def test_other_content_is_a_new_version(kind: Kind) -> None:
    swarm = Swarm(kind)
    assert swarm.run(b"one") == ["create pw_v1"]
    swarm.use("web", "pw_v1")
    assert swarm.run(b"two") == ["create pw_v2", "update web"]
    assert swarm.run(b"three") == ["create pw_v3", "update web", "remove pw_v1"]
    # The newest one counts, also when an earlier one has this content.
    assert swarm.run(b"two") == ["create pw_v4", "update web", "remove pw_v2"]
    assert swarm.run(b"two", keep_versions=0) == ["remove pw_v3"]


@KINDS
def test_services_may_stay_with_their_version(kind: Kind) -> None:
    swarm = Swarm(kind)
    swarm.run(b"one")
    swarm.use("web", "pw_v1")
    assert swarm.run(b"two", update_services=False, keep_versions=0) == ["create pw_v2"]
    assert swarm.run(b"two", keep_versions=0) == ["update web", "remove pw_v1"]


@KINDS
def test_labels_change_in_place(kind: Kind) -> None:
    swarm = Swarm(kind)
    swarm.run(b"one", labels={"tier": "front", "number": 1})
    assert swarm.run(b"one", labels={"tier": "back"}) == ["update pw_v1"]
    labels = swarm.objects["pw_v1"]["Spec"]["Labels"]
    assert labels["tier"] == "back"
    assert "number" not in labels
    labels["other"] = "stays"
    assert swarm.run(b"one") == ["update pw_v1"]
    labels = swarm.objects["pw_v1"]["Spec"]["Labels"]
    assert "tier" not in labels
    assert labels["other"] == "stays"


@KINDS
def test_the_driver_of_templates_is_part_of_the_content(kind: Kind) -> None:
    swarm = Swarm(kind)
    swarm.run(b"one")
    assert swarm.run(b"one", template_driver="golang") == ["create pw_v2"]


@KINDS
def test_absent_removes_all_versions_that_nobody_uses(kind: Kind) -> None:
    swarm = Swarm(kind)
    swarm.run(b"one")
    swarm.run(b"two")
    swarm.use("web", "pw_v2")
    with pytest.raises(FleetError, match="web"):
        swarm.run(b"", state="absent")
    swarm.services.clear()
    assert swarm.run(b"", state="absent") == ["remove pw_v2", "remove pw_v1"]


@KINDS
def test_one_name_one_object(kind: Kind) -> None:
    swarm = Swarm(kind)
    assert swarm.run(b"one", versioned=False) == ["create pw"]
    assert swarm.run(b"two", versioned=False) == ["recreate pw"]
    swarm.use("web", "pw")
    with pytest.raises(FleetError, match=r"services use it \(web\)"):
        swarm.run(b"three", versioned=False)
    # Versions are another row of objects.
    assert swarm.run(b"three") == ["create pw_v1"]


@KINDS
def test_a_number_that_somebody_took_is_left_to_them(kind: Kind) -> None:
    swarm = Swarm(kind)
    data = {} if kind.hidden else {"Data": base64.b64encode(b"one").decode()}
    swarm.objects["pw_v7"] = {"ID": "x", "Spec": {"Name": "pw_v7", **data}}
    assert swarm.run(b"one") == ["create pw_v8"]
    assert swarm.run(b"", state="absent") == ["remove pw_v8"]


def test_a_secret_is_shown_nowhere_but_in_the_request() -> None:
    old = plan(SECRET, wanted(), b"hunter1", [], []).actions[0]
    spec = {key: value for key, value in old.data["body"].items() if key != "Data"}
    for options in (wanted(), wanted(versioned=False, name="pw_v1")):
        found = [{"ID": "x", "Spec": spec}]
        (action,) = plan(SECRET, options, b"hunter2", found, []).actions
        shown = f"{action.summary()} {action.before} {action.after} {action.data['body']['Labels']}"
        assert "hunter" not in shown
        assert action.data["body"]["Labels"]["net.davit.hash"] != spec["Labels"]["net.davit.hash"]


def test_equal_secrets_do_not_look_equal() -> None:
    first, second = (plan(SECRET, wanted(), b"one", [], []).actions[0] for _turn in range(2))
    assert first.data["body"]["Labels"] != second.data["body"]["Labels"]


def test_a_config_shows_what_changes() -> None:
    swarm = Swarm(CONFIG)
    swarm.run(b"listen 80")
    found = list(swarm.objects.values())
    (action,) = plan(CONFIG, wanted(), b"listen 81", found, []).actions
    assert (action.before["content"], action.after["content"]) == ("listen 80", "listen 81")


def test_a_name_without_room_for_a_number() -> None:
    with pytest.raises(FleetError, match="64"):
        plan(SECRET, wanted(name="n" * 62), b"", [], [])
