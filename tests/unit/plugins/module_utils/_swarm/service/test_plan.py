"""A service as it is and as it is declared: what is to be done, and that nothing is left then."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.davit.fleet.plugins.module_utils import _plan
from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError, Invalid
from ansible_collections.davit.fleet.plugins.module_utils._swarm import content
from ansible_collections.davit.fleet.plugins.module_utils._swarm.service.image import Pinned
from ansible_collections.davit.fleet.plugins.module_utils._swarm.service.plan import (
    ARGUMENTS,
    Facts,
    plan,
    unset,
    write,
)


def wanted(**options: Any) -> dict[str, Any]:
    defaults = {name: spec.get("default") for name, spec in ARGUMENTS.items()}
    return {**defaults, "name": "web", **options}


class Swarm:
    """Carries plans out as a manager does."""

    def __init__(self) -> None:
        self.service: dict[str, Any] | None = None
        self.facts: dict[str, Any] = {}

    @property
    def spec(self) -> dict[str, Any]:
        assert self.service is not None
        found: dict[str, Any] = self.service["Spec"]
        return found

    @property
    def container(self) -> dict[str, Any]:
        found: dict[str, Any] = self.spec["TaskTemplate"]["ContainerSpec"]
        return found

    def plan(self, **options: Any) -> list[_plan.Action]:
        return plan(wanted(**options), Facts(copy.deepcopy(self.service), **self.facts))

    def run(self, **options: Any) -> dict[str, Any]:
        """Return what differed, as it was to become; nothing may be left to do."""
        actions = self.plan(**options)
        for action in actions:
            self._do(action)
        again = self.plan(**{**options, "force": False})
        assert again == []
        return {key: value for action in actions for key, value in action.after.items()}

    def _do(self, action: _plan.Action) -> None:
        if action.verb in ("create", "recreate"):
            self.service = {"ID": "s1", "Spec": copy.deepcopy(action.data["body"])}
        elif action.verb == "remove":
            self.service = None
        elif action.verb == "update":
            spec = write(self.spec, action.data)
            self.service = {"ID": "s1", "PreviousSpec": self.spec, "Spec": spec}
        else:
            assert self.service is not None
            back = self.service["PreviousSpec"]
            status = {"State": "rollback_completed"}
            self.service = {"ID": "s1", "Spec": back, "UpdateStatus": status}


@pytest.fixture
def swarm() -> Swarm:
    return Swarm()


OPTIONS: dict[str, tuple[Any, str, Any]] = {
    "command": ("sh -c", "ContainerSpec.Command", ["sh", "-c"]),
    "args": (["a", 1], "ContainerSpec.Args", ["a", "1"]),
    "env": ({"A": 1}, "ContainerSpec.Env", ["A=1"]),
    "container_labels": ({"a": 1}, "ContainerSpec.Labels", {"a": "1"}),
    "hostname": ("h", "ContainerSpec.Hostname", "h"),
    "user": ("1:2", "ContainerSpec.User", "1:2"),
    "groups": (["g"], "ContainerSpec.Groups", ["g"]),
    "working_dir": ("/w", "ContainerSpec.Dir", "/w"),
    "tty": (True, "ContainerSpec.TTY", True),
    "interactive": (True, "ContainerSpec.OpenStdin", True),
    "read_only": (True, "ContainerSpec.ReadOnly", True),
    "init": (True, "ContainerSpec.Init", True),
    "stop_signal": ("SIGINT", "ContainerSpec.StopSignal", "SIGINT"),
    "stop_grace_period": ("1m", "ContainerSpec.StopGracePeriod", 60 * 10**9),
    "healthcheck": (
        {"test": "true", "interval": "1s"},
        "ContainerSpec.Healthcheck",
        {"Test": ["CMD-SHELL", "true"], "Interval": 10**9},
    ),
    "cap_add": (["NET_ADMIN"], "ContainerSpec.CapabilityAdd", ["NET_ADMIN"]),
    "cap_drop": (["NET_RAW"], "ContainerSpec.CapabilityDrop", ["NET_RAW"]),
    "sysctls": ({"a.b": 1}, "ContainerSpec.Sysctls", {"a.b": "1"}),
    "ulimits": (
        ["nofile=1:2"],
        "ContainerSpec.Ulimits",
        [{"Name": "nofile", "Soft": 1, "Hard": 2}],
    ),
    "oom_score_adj": (5, "ContainerSpec.OomScoreAdj", 5),
    "no_new_privileges": (True, "ContainerSpec.Privileges.NoNewPrivileges", True),
    "seccomp": (
        {"profile": "{}"},
        "ContainerSpec.Privileges.Seccomp",
        {"Mode": "custom", "Profile": "{}"},
    ),
    "apparmor": ("disabled", "ContainerSpec.Privileges.AppArmor", {"Mode": "disabled"}),
    "selinux": (
        {"level": "s0"},
        "ContainerSpec.Privileges.SELinuxContext",
        {"Disable": False, "User": "", "Role": "", "Type": "", "Level": "s0"},
    ),
    "credential_spec": (
        {"file": "c.json"},
        "ContainerSpec.Privileges.CredentialSpec",
        {"File": "c.json"},
    ),
    "log_driver": ("local", "LogDriver.Name", "local"),
    "log_options": ({"max-file": 2}, "LogDriver.Options", {"max-file": "2"}),
    "mounts": (
        [{"type": "tmpfs", "target": "/t", "tmpfs_size": "1M"}],
        "ContainerSpec.Mounts",
        [{"Target": "/t", "Type": "tmpfs", "TmpfsOptions": {"SizeBytes": 1 << 20}}],
    ),
    "networks": (
        ["back", {"name": "front", "aliases": ["w"]}],
        "Networks",
        [{"Target": "back"}, {"Target": "front", "Aliases": ["w"]}],
    ),
    "dns_servers": (["10.0.0.1"], "ContainerSpec.DNSConfig.Nameservers", ["10.0.0.1"]),
    "dns_search_domains": (["a.b"], "ContainerSpec.DNSConfig.Search", ["a.b"]),
    "dns_opts": (["ndots:1"], "ContainerSpec.DNSConfig.Options", ["ndots:1"]),
    "etc_hosts": ({"db": "10.0.0.2"}, "ContainerSpec.Hosts", ["10.0.0.2 db"]),
    "constraints": (["node.role == worker"], "Placement.Constraints", ["node.role == worker"]),
    "preferences": (
        ["node.labels.z"],
        "Placement.Preferences",
        [{"Spread": {"SpreadDescriptor": "node.labels.z"}}],
    ),
    "max_replicas_per_node": (2, "Placement.MaxReplicas", 2),
    "limits": (
        {"cpus": 0.5, "memory": "1M", "pids": 9},
        "Resources.Limits",
        {"NanoCPUs": 5 * 10**8, "MemoryBytes": 1 << 20, "Pids": 9},
    ),
    "reservations": (
        {"cpus": 0.5, "generic": {"gpu": ["g1"], "ssd": 2}},
        "Resources.Reservations",
        {
            "NanoCPUs": 5 * 10**8,
            "MemoryBytes": 0,
            "GenericResources": [
                {"NamedResourceSpec": {"Kind": "gpu", "Value": "g1"}},
                {"DiscreteResourceSpec": {"Kind": "ssd", "Value": 2}},
            ],
        },
    ),
    "restart_config": (
        {"condition": "none"},
        "RestartPolicy",
        {"Condition": "none", "Delay": 5 * 10**9, "MaxAttempts": 0, "Window": 0},
    ),
}
_ELSEWHERE = {
    "labels": ({"tier": 1}, "Labels.tier", "1"),
    "published_ports": (
        [{"target_port": 80, "published_port": 8080, "mode": "host"}],
        "EndpointSpec.Ports",
        [{"Protocol": "tcp", "TargetPort": 80, "PublishMode": "host", "PublishedPort": 8080}],
    ),
    "endpoint_mode": ("dnsrr", "EndpointSpec.Mode", "dnsrr"),
    "replicas": (3, "Mode", {"Replicated": {"Replicas": 3}}),
    "update_config": (
        {"order": "start-first", "max_failure_ratio": 0.5},
        "UpdateConfig",
        {
            "Parallelism": 1,
            "Delay": 0,
            "FailureAction": "pause",
            "Monitor": 5 * 10**9,
            "MaxFailureRatio": 0.5,
            "Order": "start-first",
        },
    ),
    "rollback_config": ({"parallelism": 0}, "RollbackConfig.Parallelism", 0),
}
PLACES = {
    **{name: (given, f"TaskTemplate.{path}", to) for name, (given, path, to) in OPTIONS.items()},
    **_ELSEWHERE,
}


def at(tree: Any, path: str) -> Any:
    for step in path.split("."):
        tree = tree[step]
    return tree


@pytest.mark.parametrize("option", PLACES)
def test_an_option_is_set_changed_by_hand_and_dropped(swarm: Swarm, option: str) -> None:
    given, path, expected = PLACES[option]
    bare = {"image": "web:1"}
    swarm.run(**bare)
    before = copy.deepcopy(swarm.spec)
    assert set(swarm.run(**bare, **{option: given})) == {option}
    assert at(swarm.spec, path) == expected
    declared = copy.deepcopy(swarm.spec)
    # Made at once, it is the same.
    swarm.service = None
    swarm.run(**bare, **{option: given})
    assert swarm.spec == declared
    # What was changed by hand is repaired.
    labels = {key: text for key, text in swarm.spec["Labels"].items() if key != "tier"}
    swarm.spec.clear()
    swarm.spec.update(copy.deepcopy({**before, "Labels": labels}))
    assert set(swarm.run(**bare, **{option: given})) == {option}
    assert at(swarm.spec, path) == expected
    assert set(swarm.run(**bare)) == {option}
    assert swarm.spec == before


def test_every_row_is_tested() -> None:
    special = {"mode", "max_concurrent", "secrets", "configs", "image"}
    control = {"name", "state", "env_files", "resolve_image", "with_registry_auth", "username"}
    control |= {"password", "login_file", "rollback", "force", "recreate", "wait", "wait_timeout"}
    assert set(ARGUMENTS) == set(PLACES) | special | control | {"resume"}


def test_without_an_image_it_is_acted_on(swarm: Swarm) -> None:
    with pytest.raises(Invalid, match="image: needed"):
        swarm.plan(replicas=2)
    swarm.run(image="web:1", env={"A": "1"})
    assert swarm.run(replicas=2) == {"replicas": 2}
    # Nobody has declared it.
    assert swarm.run(image="web:1", env={"A": "1"}) == {}
    assert swarm.spec["Mode"] == {"Replicated": {"Replicas": 2}}


def test_what_is_not_declared_stays(swarm: Swarm) -> None:
    swarm.run(image="web:1", labels={"a": "1"})
    swarm.container["Env"] = ["A=1"]
    swarm.spec["Labels"]["b"] = "2"
    swarm.run(image="web:1", labels={"a": "2"})
    assert swarm.container["Env"] == ["A=1"]
    assert swarm.spec["Labels"]["b"] == "2"


def test_force(swarm: Swarm) -> None:
    swarm.run(image="web:1")
    assert swarm.run(image="web:1", force=True) == {"forced": 1}
    assert swarm.run(image="web:1", force=True) == {"forced": 2}
    assert swarm.spec["TaskTemplate"]["ForceUpdate"] == 2


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ({"mode": "global"}, {"Global": {}}),
        ({"mode": "global-job"}, {"GlobalJob": {}}),
        (
            {"mode": "replicated-job", "replicas": 4},
            {"ReplicatedJob": {"TotalCompletions": 4, "MaxConcurrent": 4}},
        ),
        (
            {"mode": "replicated-job", "replicas": 4, "max_concurrent": 2},
            {"ReplicatedJob": {"TotalCompletions": 4, "MaxConcurrent": 2}},
        ),
    ],
)
def test_modes(swarm: Swarm, mode: dict[str, Any], expected: dict[str, Any]) -> None:
    swarm.run(image="web:1")
    with pytest.raises(FleetError, match="set recreate"):
        swarm.plan(image="web:1", **mode)
    swarm.run(image="web:1", recreate=True, **mode)
    assert swarm.spec["Mode"] == expected


def test_options_of_other_modes(swarm: Swarm) -> None:
    with pytest.raises(Invalid, match="replicas"):
        swarm.plan(image="web:1", mode="global", replicas=2)
    with pytest.raises(Invalid, match="max_concurrent"):
        swarm.plan(image="web:1", max_concurrent=2)


def version(name: str, number: int) -> dict[str, Any]:
    spec = {"Name": f"{name}_v{number}", "Labels": {content.NAME: name}}
    return {"ID": f"{name}{number}", "Spec": spec}


@pytest.mark.parametrize("kind", [content.SECRET, content.CONFIG], ids=lambda kind: kind.name)
def test_a_name_stands_for_its_newest_version(swarm: Swarm, kind: content.Kind) -> None:
    swarm.facts[kind.path] = [version("db", number) for number in (9, 10)]
    entry = {"source": "db", "uid": 7, "gid": "8", "mode": "0400"}
    swarm.run(image="web:1", **{kind.path: [entry]})
    file = {"Name": "db", "UID": "7", "GID": "8", "Mode": 0o400}
    (shown,) = swarm.container[kind.references]
    assert shown == {kind.id_key: "db10", kind.name_key: "db_v10", "File": file}
    swarm.facts[kind.path].append(version("db", 11))
    assert set(swarm.run(image="web:1", **{kind.path: [entry]})) == {kind.path}
    (shown,) = swarm.container[kind.references]
    assert shown == {kind.id_key: "db11", kind.name_key: "db_v11", "File": file}
    # By its own name it is just this one.
    swarm.run(image="web:1", **{kind.path: ["db_v9"]})
    (shown,) = swarm.container[kind.references]
    assert (shown[kind.id_key], shown["File"]["Name"]) == ("db9", "db_v9")
    assert shown["File"]["Mode"] == 0o444
    swarm.run(image="web:1")
    assert kind.references not in swarm.container


def test_secrets_that_are_wrong(swarm: Swarm) -> None:
    with pytest.raises(FleetError, match=r"there is no secret db: declare it first"):
        swarm.plan(image="web:1", secrets=["db"])
    with pytest.raises(Invalid, match=r"secrets\[0\].file: unknown"):
        swarm.plan(image="web:1", secrets=[{"source": "db", "file": "a"}])
    swarm.facts["secrets"] = [version("db", 1)]
    with pytest.raises(Invalid, match="octal digits in quotes"):
        swarm.plan(image="web:1", secrets=[{"source": "db", "mode": 256}])
    # An earlier task makes it, in check mode.
    swarm.facts = {"lenient": True}
    (action,) = swarm.plan(image="web:1", secrets=["db"])
    assert action.verb == "create"


def test_networks_are_the_same_by_name_and_id(swarm: Swarm) -> None:
    swarm.run(image="web:1", networks=["back"])
    swarm.spec["TaskTemplate"]["Networks"][0]["Target"] = "n1"
    swarm.facts["networks"] = {"n1": "back"}
    assert swarm.run(image="web:1", networks=["back"]) == {}
    assert swarm.run(image="web:1", networks=["n1"]) == {}
    with pytest.raises(Invalid, match=r"networks\[0\]"):
        swarm.plan(image="web:1", networks=[{"aliases": ["a"]}])


def test_a_pinned_image(swarm: Swarm) -> None:
    one, two = (f"sha256:{letter * 64}" for letter in "ab")
    swarm.facts["pinned"] = Pinned(one, (("amd64", "linux"),))
    swarm.run(image="web:1")
    assert swarm.container["Image"] == f"web:1@{one}"
    placement = swarm.spec["TaskTemplate"]["Placement"]
    assert placement == {"Platforms": [{"Architecture": "amd64", "OS": "linux"}]}
    # Nobody asks again while the tag is the same.
    swarm.facts["pinned"] = None
    assert swarm.run(image="web:1", constraints=["node.role==worker"])
    assert "Platforms" in swarm.spec["TaskTemplate"]["Placement"]
    swarm.facts["pinned"] = Pinned(two)
    assert swarm.run(image="web:1", resolve_image="always") == {
        "image": f"web:1@{two}",
        "constraints": [],
    }
    # No registry answers.
    swarm.facts["pinned"] = Pinned(problem="no route")
    assert swarm.run(image="web:1", resolve_image="always") == {}
    assert swarm.run(image="web:2") == {"image": "web:2"}
    assert "Placement" not in swarm.spec["TaskTemplate"]


def test_rollback(swarm: Swarm) -> None:
    with pytest.raises(FleetError, match="there is none"):
        swarm.plan(rollback=True)
    swarm.run(image="web:1")
    with pytest.raises(FleetError, match="never updated"):
        swarm.plan(rollback=True)
    swarm.run(image="web:2", replicas=2)
    with pytest.raises(Invalid, match="not together with replicas"):
        swarm.plan(rollback=True, replicas=2)
    assert swarm.run(rollback=True) == {"image": "web:1", "replicas": 1}
    assert swarm.container["Image"] == "web:1"


def test_removal(swarm: Swarm) -> None:
    swarm.run(image="web:1")
    assert swarm.run(state="absent") == {"state": "absent"}


def test_secret_variables_are_hidden(swarm: Swarm) -> None:
    (shown,) = _plan.diff(swarm.plan(image="web:1", env={"PASSWORD": "hush", "A": "1"}))
    assert shown["after"]["env"] == {"PASSWORD": "********", "A": "1"}


def test_unset() -> None:
    tree = {"a": {"b": {"c": 1}}, "d": {"e": 1, "f": 2}}
    for path in ("a.b.c", "d.e", "x.y"):
        unset(tree, path)
    assert tree == {"d": {"f": 2}}
