"""Who is asked about a swarm's objects."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock

import pytest

from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.davit.fleet.plugins.module_utils._swarm import run

from .fakes import FakeEngine


def _node(*, answers: bool, managers: list[str]) -> dict[str, Any]:
    remote = [{"NodeID": manager} for manager in managers]
    swarm = {"LocalNodeState": "active", "NodeID": "n2", "RemoteManagers": remote}
    return {"Swarm": {**swarm, "ControlAvailable": answers}}


class Changing(FakeEngine):
    """Its info is another one each time, up to the last."""

    def __init__(self, *infos: dict[str, Any]) -> None:
        super().__init__({})
        self._infos = list(infos)

    def _call(self, method: str, path: tuple[str, ...], *_: Any) -> Any:
        assert (method, path) == ("GET", ("info",))
        return self._infos.pop(0) if len(self._infos) > 1 else self._infos[0]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_PAUSE", 0)


def test_a_node_that_has_just_been_promoted_is_waited_for() -> None:
    """Moby answers as a manager up to some seconds after its swarm counts it among them."""
    promoted = _node(answers=False, managers=["n1", "n2"])
    engine = Changing(promoted, promoted, _node(answers=True, managers=["n1", "n2"]))
    assert run.managed(MagicMock(check_mode=False), engine) is engine


@pytest.mark.parametrize("managers", [[], ["n1"]])
def test_a_worker_is_not(managers: list[str]) -> None:
    worker = _node(answers=False, managers=managers)
    engine = Changing(worker, _node(answers=True, managers=managers))
    with pytest.raises(FleetError, match="is a worker"):
        run.managed(MagicMock(check_mode=False), engine)


def test_a_promotion_that_does_not_come_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_PROMOTION", 0)
    engine = Changing(_node(answers=False, managers=["n1", "n2"]))
    with pytest.raises(FleetError, match="is a worker"):
        run.managed(MagicMock(check_mode=False), engine)
