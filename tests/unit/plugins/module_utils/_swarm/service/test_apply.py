"""What is asked of a manager for a service, and how it is waited for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.davit.fleet.plugins.module_utils._errors import Invalid
from ansible_collections.davit.fleet.plugins.module_utils._swarm.service import apply, progress
from ansible_collections.davit.fleet.plugins.module_utils._swarm.service.plan import (
    ARGUMENTS,
    Facts,
    plan,
)
from tests.unit.plugins.module_utils._swarm.fakes import FakeEngine

SPEC = {"Name": "web", "TaskTemplate": {"ContainerSpec": {"Image": "web:1"}}, "Mode": {}}
SPEC["Mode"] = {"Replicated": {"Replicas": 1}}


def wanted(**options: Any) -> dict[str, Any]:
    defaults = {name: spec.get("default") for name, spec in ARGUMENTS.items()}
    return {**defaults, "name": "web", **options}


def manager(*tasks: dict[str, Any], **status: Any) -> FakeEngine:
    service = {"ID": "s1", "Version": {"Index": 7}, "Spec": {**SPEC}, **status}
    node = {"ID": "n1", "Description": {"Hostname": "worker1"}}
    answers = {"services/s1": service, "services": [service], "tasks": list(tasks)}
    return FakeEngine({**answers, "nodes": [node], "networks/n1": {"Id": "n1", "Name": "back"}})


def a_task(state: str, error: str = "") -> dict[str, Any]:
    status = {"State": state, "Err": error}
    desired = "shutdown" if error else "running"
    made = {"ID": "t1", "CreatedAt": "1", "NodeID": "n1", "DesiredState": desired}
    return {**made, "Status": status, "Spec": SPEC["TaskTemplate"], "ServiceID": "s1"}


def test_an_update_keeps_the_registrys_credentials(tmp_path: Path) -> None:
    engine = manager()
    options = wanted(image="web:2", resolve_image="never")
    facts = apply.ask(engine, options, lenient=False)
    (action,) = plan(options, facts)
    apply.apply(engine, action, options)
    ((path, query, body),) = engine.calls
    assert (path, query) == (
        "POST services/s1/update",
        {"version": 7, "registryAuthFrom": "spec"},
    )
    assert body["TaskTemplate"]["ContainerSpec"]["Image"] == "web:2"
    # Or gets those that are here.
    options = {**options, "with_registry_auth": True, "login_file": str(tmp_path / "none")}
    with pytest.raises(Invalid, match="there is no login for the registry of web:2"):
        apply.apply(engine, action, options)
    options.update(username="captain", password="sesame")
    apply.apply(engine, action, options)
    assert engine.calls[-1][1] == {"version": 7}


def test_a_service_is_found_by_its_whole_name() -> None:
    engine = manager()
    found = apply.find(engine, "web")
    assert found is not None
    assert apply.find(engine, "we") is None
    assert apply.find(engine, "s1") == found


def test_names_of_networks() -> None:
    engine = manager()
    engine.answers["services"][0]["Spec"]["TaskTemplate"] = {
        **SPEC["TaskTemplate"],
        "Networks": [{"Target": "n1"}],
    }
    engine.answers["networks/back"] = {"Id": "n1", "Name": "back"}
    facts = apply.ask(engine, wanted(networks=["back"]), lenient=False)
    assert facts.networks == {"n1": "back"}


def test_waiting_ends_when_all_is_there() -> None:
    found, words, is_all = apply.wait(manager(a_task("running")), "s1", progress.REST, 10)
    assert is_all
    assert words == "1 of 1 tasks run"
    assert found["ID"] == "s1"


def test_a_piece_of_waiting() -> None:
    engine = manager(a_task("preparing"))
    found, words, is_all = apply.wait(engine, "s1", progress.UPDATE, 10, piece=0.01)
    assert found["ID"] == "s1"
    assert not is_all
    assert words == "0 of 1 tasks run"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({}, "0 of 1 tasks run after 0 s"),
        (
            {"UpdateStatus": {"State": "paused", "Message": "of a failure"}},
            "its update has stopped: of a failure",
        ),
    ],
)
def test_waiting_in_vain(status: dict[str, Any], reason: str) -> None:
    engine = manager(a_task("rejected", "no image"), a_task("preparing"), **status)
    with pytest.raises(apply.Unconverged) as raised:
        apply.wait(engine, "s1", progress.UPDATE, 0)
    message = f"service web: {reason}; its tasks: worker1: rejected: no image"
    assert str(raised.value) == message
    assert raised.value.facts["failed_tasks"][0]["node"] == "worker1"
    assert raised.value.facts["service"]["name"] == "web"


def test_an_update_that_another_module_began() -> None:
    engine = manager(a_task("running"), UpdateStatus={"State": "updating"})
    service = engine.answers["services/s1"]
    then = iter(["updating", "updating", "rollback_completed"])

    class Moving(FakeEngine):
        def get(self, *path: str, **query: Any) -> Any:
            if path == ("services", "s1"):
                service["UpdateStatus"]["State"] = next(then)
            return super().get(*path, **query)

    with pytest.raises(apply.Unconverged, match="its update failed and was rolled back"):
        apply.wait(Moving(engine.answers), "s1", progress.REST, 10)


def test_what_is_waited_for() -> None:
    found = Facts({"ID": "s1", "Spec": SPEC, "PreviousSpec": SPEC})
    image = {"image": "web:1", "resolve_image": "never"}
    assert apply.awaited([]) == progress.REST
    assert apply.awaited(plan(wanted(**image), Facts())) == progress.UPDATE
    assert apply.awaited(plan(wanted(rollback=True), found)) == progress.ROLLBACK
    assert apply.awaited(plan(wanted(**image, replicas=2), found)) == progress.UPDATE
    # No task comes or goes for that.
    assert apply.awaited(plan(wanted(**image, labels={"a": 1}), found)) == progress.REST


def test_environment_of_files(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("# of the shop\n\nA=1\nB=two words \n")
    options = wanted(env_files=[str(file)], env={"A": "2"})
    assert apply.with_env_files(options)["env"] == {"A": "2", "B": "two words "}
    assert apply.with_env_files(wanted(env_files=[str(file)]))["env"]["A"] == "1"
    file.write_text("A=1\nA B=1\n")
    with pytest.raises(Invalid, match=r"line 2: is not NAME=VALUE"):
        apply.with_env_files(options)
    with pytest.raises(Invalid, match="cannot be read"):
        apply.with_env_files(wanted(env_files=[f"{file}.gone"]))
