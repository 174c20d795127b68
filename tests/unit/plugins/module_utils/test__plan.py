"""What a plan shows to people."""

from __future__ import annotations

from ansible_collections.davit.fleet.plugins.module_utils._plan import Action, diff


def test_actions_on_one_object_are_one_entry() -> None:
    actions = [
        Action("container", "create", "web", "", {"state": "absent"}, {"state": "present"}),
        Action("container", "start", "web", "", {"state": "created"}, {"state": "started"}),
        Action("volume", "create", "web", "", {"state": "absent"}, {"state": "present"}),
    ]
    entries = diff(actions)
    assert [entry["after_header"] for entry in entries] == ["container web", "volume web"]
    assert entries[0]["after"] == {"state": "started"}


def test_first_before_stays() -> None:
    actions = [
        Action("container", "create", "web", "", {"state": "absent"}, {"state": "present"}),
        Action("container", "start", "web", "", {"state": "created"}, {"state": "started"}),
    ]
    assert diff(actions)[0]["before"] == {"state": "absent"}


def test_secrets_are_hidden() -> None:
    env = {"DB_PASSWORD": "a", "API_KEY": "b", "STAGE": "c", "TOKEN": "d"}
    entry = diff([Action("container", "recreate", "web", "", {"env": env}, {"env": env})])[0]
    for side in ("before", "after"):
        assert entry[side]["env"] == {
            "DB_PASSWORD": "********",
            "API_KEY": "********",
            "STAGE": "c",
            "TOKEN": "********",
        }
