"""The controller's side of a service: it shows how far the waiting is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.davit.fleet.plugins.action.service import ActionModule


class Action(ActionModule):
    """On a host that answers from a list."""

    def __init__(self, answers: list[dict[str, Any]], **arguments: Any) -> None:
        self._task = SimpleNamespace(args=arguments, check_mode=False, async_val=0)
        self._connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
        self.shown: list[str] = []
        self._display = SimpleNamespace(display=lambda text, color: self.shown.append(text))
        self._answers = answers
        self.asked: list[dict[str, Any]] = []

    def _execute_module(self, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        self.asked.append(module_args)
        return self._answers.pop(0)


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible.plugins.action.ActionBase.run", lambda *_args: {})


def waiting(text: str) -> dict[str, Any]:
    return {"resume": "update", "progress": text}


def test_one_run_is_enough() -> None:
    action = Action([{"changed": False, "actions": []}], name="web")
    assert action.run() == {"changed": False, "actions": []}
    assert action.asked == [{"name": "web", "resume": "begin"}]
    assert action.shown == []


def test_waiting_goes_on_in_pieces() -> None:
    done = [{"action": "create"}]
    first = {
        "changed": True,
        "actions": done,
        "diff": ["d"],
        "waiting": waiting("0 of 2 tasks run"),
    }
    second = {"changed": False, "actions": [], "waiting": waiting("1 of 2 tasks run")}
    last = {"changed": False, "actions": [], "service": {"name": "web"}}
    action = Action([first, second, last], name="web", replicas=2, wait_timeout=60)
    assert action.run() == {
        "changed": True,
        "actions": done,
        "diff": ["d"],
        "service": {"name": "web"},
    }
    assert [asked["resume"] for asked in action.asked] == ["begin", "update", "update"]
    assert all(asked["replicas"] == 2 and asked["wait_timeout"] <= 60 for asked in action.asked)
    assert action.shown == [
        "davit: service web: 0 of 2 tasks run",
        "davit: service web: 1 of 2 tasks run",
    ]


def test_waiting_in_vain_is_a_change_all_the_same() -> None:
    first = {"changed": True, "actions": [1], "waiting": waiting("0 of 1 tasks run")}
    last = {"changed": False, "failed": True, "msg": "service web: …", "actions": []}
    found = Action([first, last], name="web").run()
    assert (found["failed"], found["changed"], found["actions"]) == (True, True, [1])
