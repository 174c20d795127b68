"""What becomes of each field of a task's specification."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import duration_pb2, wrappers_pb2

from davit._pb import swarmkit_pb2 as pb
from davit.errors import DavitError, InvalidParameter
from davit.model import codec
from davit.model.config import PortBinding
from davit.services.swarm import mapping
from davit.services.swarm.expansion import expanded, name_of
from tests.engine.services.swarm.taskbed import NODE, a_task

_SECONDS = duration_pb2.Duration


def _request(task: pb.Task) -> dict[str, Any]:
    mapping.check(task)
    made: dict[str, Any] = codec.builtins(mapping.request(task, expanded(task, NODE)))
    return made


@pytest.mark.parametrize(
    ("spec", "path", "expected"),
    [
        ({"command": ["a"], "args": ["b"]}, "Entrypoint", ["a"]),
        ({"command": ["a"], "args": ["b"]}, "Cmd", ["b"]),
        ({"command": [], "args": ["b"]}, "Entrypoint", None),
        ({"command": []}, "Cmd", None),
        ({"env": ["A={{.Task.Slot}}", "B"]}, "Env", ["A=1", "B"]),
        ({"hostname": "{{.Node.Hostname}}-{{.Task.Slot}}"}, "Hostname", "host1-1"),
        ({"dir": "/srv"}, "WorkingDir", "/srv"),
        ({"user": "1:2"}, "User", "1:2"),
        ({"groups": ["5"]}, "HostConfig.GroupAdd", ["5"]),
        ({"tty": True}, "Tty", True),
        ({"open_stdin": True}, "OpenStdin", True),
        ({"stop_signal": "SIGINT"}, "StopSignal", "SIGINT"),
        ({"read_only": True}, "HostConfig.ReadonlyRootfs", True),
        ({}, "HostConfig.Init", None),
        ({"init": wrappers_pb2.BoolValue()}, "HostConfig.Init", False),
        ({"init": wrappers_pb2.BoolValue(value=True)}, "HostConfig.Init", True),
        ({}, "HostConfig.PidsLimit", None),
        ({"pids_limit": 7}, "HostConfig.PidsLimit", 7),
        ({"sysctls": {"net.a": "1"}}, "HostConfig.Sysctls", {"net.a": "1"}),
        ({"capability_add": ["CAP_SYS_TIME"]}, "HostConfig.CapAdd", ["CAP_SYS_TIME"]),
        ({"capability_drop": ["ALL"]}, "HostConfig.CapDrop", ["ALL"]),
        ({"oom_score_adj": -5}, "HostConfig.OomScoreAdj", -5),
        (
            {"ulimits": [pb.ContainerSpec.Ulimit(name="nofile", soft=1, hard=2)]},
            "HostConfig.Ulimits",
            [{"Name": "nofile", "Soft": 1, "Hard": 2}],
        ),
        (
            {"hosts": ["1.2.3.4 db alias", "::1 six", "broken"]},
            "HostConfig.ExtraHosts",
            ["db:1.2.3.4", "six:::1"],
        ),
        (
            {"dns_config": pb.ContainerSpec.DNSConfig(nameservers=["1.1.1.1"])},
            "HostConfig.Dns",
            ["1.1.1.1"],
        ),
        (
            {"dns_config": pb.ContainerSpec.DNSConfig(search=["a"], options=["b"])},
            "HostConfig.DnsSearch",
            ["a"],
        ),
        ({}, "Healthcheck", None),
        (
            {
                "healthcheck": pb.HealthConfig(
                    test=["CMD", "x"],
                    interval=_SECONDS(seconds=1, nanos=5),
                    timeout=_SECONDS(seconds=2),
                    retries=3,
                    start_period=_SECONDS(seconds=4),
                    start_interval=_SECONDS(nanos=5000000),
                )
            },
            "Healthcheck",
            {
                "Test": ["CMD", "x"],
                "Interval": 1000000005,
                "Timeout": 2000000000,
                "Retries": 3,
                "StartPeriod": 4000000000,
                "StartInterval": 5000000,
            },
        ),
        (
            {
                "privileges": pb.Privileges(
                    selinux_context=pb.Privileges.SELinuxContext(disable=True, level="s0"),
                    seccomp=pb.Privileges.Seccomp(mode=pb.Privileges.Seccomp.CUSTOM, profile=b"{}"),
                    apparmor=pb.Privileges.AppArmor(mode=pb.Privileges.AppArmor.DISABLED),
                    no_new_privileges=True,
                )
            },
            "HostConfig.SecurityOpt",
            [
                "label=disable",
                "label=level:s0",
                "seccomp={}",
                "apparmor=unconfined",
                "no-new-privileges=true",
            ],
        ),
        (
            {
                "privileges": pb.Privileges(
                    seccomp=pb.Privileges.Seccomp(mode=pb.Privileges.Seccomp.UNCONFINED)
                )
            },
            "HostConfig.SecurityOpt",
            ["seccomp=unconfined"],
        ),
        ({}, "HostConfig.RestartPolicy.Name", ""),
    ],
)
def test_a_field(spec: dict[str, Any], path: str, expected: object) -> None:
    found: Any = _request(a_task(**spec))
    for name in path.split("."):
        found = found[name]
    assert found == expected


def test_the_labels_and_the_name() -> None:
    task = a_task(labels={"a": "1", "com.docker.swarm.task.id": "forged"})
    task.annotations.labels["b"] = "2"
    assert _request(task)["Labels"] == {
        "a": "1",
        "b": "2",
        "com.docker.swarm.node.id": "node1",
        "com.docker.swarm.service.id": "svc1",
        "com.docker.swarm.service.name": "web",
        "com.docker.swarm.task": "",
        "com.docker.swarm.task.id": "task1",
        "com.docker.swarm.task.name": "web.1.task1",
    }
    task.slot = 0
    assert name_of(task) == "web.node1.task1"
    task.annotations.name = "given"
    assert name_of(task) == "given"


def _mounts(*mounts: pb.Mount) -> Any:
    return _request(a_task(mounts=mounts))["HostConfig"]["Mounts"]


def test_mounts_of_all_kinds() -> None:
    bind = pb.Mount(
        type=pb.Mount.BIND,
        source="/{{.Service.Name}}",
        target="/t/{{.Task.Slot}}",
        readonly=True,
        bind_options=pb.Mount.BindOptions(
            propagation=pb.Mount.BindOptions.RSLAVE,
            nonrecursive=True,
            createmountpoint=True,
            readonlynonrecursive=True,
        ),
    )
    volume = pb.Mount(
        type=pb.Mount.VOLUME,
        source="data",
        target="/v",
        volume_options=pb.Mount.VolumeOptions(
            nocopy=True,
            labels={"l": "{{.Service.ID}}"},
            driver_config=pb.Driver(name="local", options={"o": "size={{.Task.Slot}}"}),
            subpath="s",
        ),
    )
    tmpfs = pb.Mount(
        type=pb.Mount.TMPFS,
        target="/x",
        tmpfs_options=pb.Mount.TmpfsOptions(
            size_bytes=4096, mode=0o1777, options='[["exec"],["uid","5"]]'
        ),
    )
    made = _mounts(bind, volume, tmpfs)
    assert made[0]["Source"] == "/web"
    assert made[0]["Target"] == "/t/1"
    assert made[0]["ReadOnly"] is True
    assert made[0]["BindOptions"] == {
        "Propagation": "rslave",
        "NonRecursive": True,
        "CreateMountpoint": True,
        "ReadOnlyNonRecursive": True,
        "ReadOnlyForceRecursive": False,
    }
    assert made[1]["VolumeOptions"] == {
        "NoCopy": True,
        "Labels": {"l": "svc1"},
        "DriverConfig": {"Name": "local", "Options": {"o": "size=1"}},
        "Subpath": "s",
    }
    assert made[2]["TmpfsOptions"] == {
        "SizeBytes": 4096,
        "Mode": 0o1777,
        "Options": [["exec"], ["uid", "5"]],
    }
    assert made[2]["BindOptions"] is None


def test_resources() -> None:
    task = a_task()
    resources = task.spec.resources
    resources.limits.memory_bytes = 64 << 20
    resources.limits.nano_cpus = 5 * 10**8
    resources.reservations.memory_bytes = 32 << 20
    resources.swap_bytes.value = 16 << 20
    resources.memory_swappiness.value = 0
    host = _request(task)["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"]) == (64 << 20, 80 << 20, 5 * 10**8)
    assert host["MemoryReservation"] == 0
    assert host["MemorySwappiness"] == 0
    resources.swap_bytes.value = -1
    resources.memory_swappiness.value = -1
    host = _request(task)["HostConfig"]
    assert (host["MemorySwap"], host["MemorySwappiness"]) == (-1, None)


def test_generic_resources() -> None:
    task = a_task(env=["A=1"])
    for kind, value in (("gpu", "u1"), ("gpu", "u2")):
        task.assigned_generic_resources.add().named.CopyFrom(
            pb.NamedGenericResource(kind=kind, value=value)
        )
    task.assigned_generic_resources.add().discrete.CopyFrom(
        pb.DiscreteGenericResource(kind="ssd", value=3)
    )
    env = _request(task)["Env"]
    assert env == ["A=1", "DOCKER_RESOURCE_GPU=u1,u2", "DOCKER_RESOURCE_SSD=3"]


def test_ports_of_the_host() -> None:
    task = a_task()
    for target, published, protocol, mode in (
        (80, 8080, pb.PortConfig.TCP, pb.PortConfig.HOST),
        (80, 8081, pb.PortConfig.TCP, pb.PortConfig.HOST),
        (53, 0, pb.PortConfig.UDP, pb.PortConfig.HOST),
        (81, 8082, pb.PortConfig.TCP, pb.PortConfig.INGRESS),
    ):
        task.endpoint.ports.add(
            target_port=target, published_port=published, protocol=protocol, publish_mode=mode
        )
    request = _request(task)
    assert {
        port: [binding["HostPort"] for binding in bindings]
        for port, bindings in request["HostConfig"]["PortBindings"].items()
    } == {"80/tcp": ["8080", "8081"], "53/udp": [""]}
    assert set(request["ExposedPorts"]) == {"80/tcp", "53/udp"}


def test_the_status_of_ports() -> None:
    ports = {
        "53/udp": [
            PortBinding(host_ip="0.0.0.0", host_port="49153"),
            PortBinding(host_ip="::", host_port="49153"),
        ],
        "80/tcp": [PortBinding(host_port="8080")],
        "90/tcp": [],
    }
    shown = [
        (one.protocol, one.target_port, one.published_port, one.publish_mode)
        for one in mapping.port_status(ports)
    ]
    host = pb.PortConfig.HOST
    assert shown == [(pb.PortConfig.UDP, 53, 49153, host), (pb.PortConfig.TCP, 80, 8080, host)]


def _attach(task: pb.Task, name: str, driver: str, *, predefined: bool = False) -> None:
    attachment = task.networks.add(aliases=["web"])
    attachment.network.driver_state.name = driver
    annotations = attachment.network.spec.annotations
    annotations.name = name
    if predefined:
        annotations.labels["com.docker.swarm.predefined"] = "true"


def test_local_networks() -> None:
    task = a_task()
    assert _request(task)["HostConfig"]["NetworkMode"] == ""
    _attach(task, "host", "host", predefined=True)
    assert _request(task)["HostConfig"]["NetworkMode"] == "host"
    task = a_task()
    _attach(task, "local1", "bridge")
    request = _request(task)
    assert request["HostConfig"]["NetworkMode"] == "local1"
    endpoints = request["NetworkingConfig"]["EndpointsConfig"]
    assert endpoints["local1"]["Aliases"] == ["web"]


def test_the_log_driver() -> None:
    task = a_task()
    task.log_driver.name = "json-file"
    task.log_driver.options["max-size"] = "1m"
    log = _request(task)["HostConfig"]["LogConfig"]
    assert log == {"Type": "json-file", "Config": {"max-size": "1m"}}


def _overlay(task: pb.Task) -> None:
    _attach(task, "net1", "overlay")


def _cluster(task: pb.Task) -> None:
    task.spec.container.mounts.add(type=pb.Mount.CLUSTER, target="/c")


def _credentials(task: pb.Task) -> None:
    task.spec.container.privileges.credential_spec.file = "f"


def _attachment(task: pb.Task) -> None:
    task.spec.attachment.container_id = "c"


def _template(task: pb.Task) -> None:
    task.spec.container.env.append("A={{.Task.Nmae}}")


def _options(task: pb.Task) -> None:
    task.spec.container.mounts.add(
        type=pb.Mount.TMPFS, target="/x", tmpfs_options=pb.Mount.TmpfsOptions(options="{}")
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_overlay, "network net1: workers of davit have no overlay networks yet"),
        (_cluster, "mount /c: davit has no mounts of the type cluster"),
        (_credentials, "credential specs are Windows'"),
        (_attachment, "task task1 is not a container"),
        (_template, "expanding env failed: expanding 'A={{.Task.Nmae}}': can't evaluate field"),
        (_options, "mount /x: invalid tmpfs options"),
    ],
)
def test_a_refusal(change: Any, words: str) -> None:
    task = a_task()
    change(task)
    with pytest.raises(DavitError) as refused:
        _request(task)
    assert words in refused.value.message


def test_a_seccomp_profile_that_is_no_text() -> None:
    seccomp = pb.Privileges.Seccomp(mode=pb.Privileges.Seccomp.CUSTOM, profile=b"\xff")
    with pytest.raises(InvalidParameter):
        _request(a_task(privileges=pb.Privileges(seccomp=seccomp)))


def test_the_grace_period() -> None:
    assert mapping.grace_period(a_task().spec.container) is None
    spec = a_task(stop_grace_period=_SECONDS(seconds=3, nanos=9)).spec.container
    assert mapping.grace_period(spec) == 3
