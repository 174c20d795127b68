"""One container: what is declared shows, what is dropped goes, and nothing else changes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.conftest import Fleet

# PID 1 ignores SIGTERM unless it says otherwise, so this one is killed at once.
WEB: dict[str, Any] = {
    "name": "web",
    "image": "busybox",
    "command": ["sleep", "600"],
    "stop_signal": "SIGKILL",
}


def verbs(result: dict[str, Any]) -> list[str]:
    return [action["action"] for action in result["actions"]]


def test_create_stop_start_remove(fleet: Fleet) -> None:
    assert verbs(fleet.apply("container", **WEB)) == ["create", "start"]
    assert fleet.inspect("web")["State"]["Running"]
    assert verbs(fleet.apply("container", **WEB, state="stopped")) == ["stop"]
    assert not fleet.inspect("web")["State"]["Running"]
    fleet.apply("container", name="web", state="absent")
    assert "web" not in fleet.names()


def test_present_does_not_start(fleet: Fleet) -> None:
    assert verbs(fleet.apply("container", **WEB, state="present")) == ["create"]
    assert fleet.inspect("web")["State"]["Status"] == "created"


def test_check_mode_changes_nothing(fleet: Fleet) -> None:
    result = fleet.run("container", check=True, **WEB)
    assert result["changed"]
    assert "web" not in fleet.names()


def test_container_removed_by_hand_comes_back(fleet: Fleet) -> None:
    fleet.apply("container", **WEB)
    fleet.client.delete("/containers/web", force=True)
    assert verbs(fleet.apply("container", **WEB)) == ["create", "start"]


# option: value, changed value, where it shows
RECREATED: dict[str, tuple[Any, Any, str]] = {
    "env": ({"A": "1", "B": "2"}, {"A": "1"}, "Config.Env"),
    "labels": ({"tier": "front"}, {"tier": "back"}, "Config.Labels"),
    "user": ("1000", "0:0", "Config.User"),
    "working_dir": ("/tmp", "/root", "Config.WorkingDir"),
    "hostname": ("a", "b", "Config.Hostname"),
    "domainname": ("example.org", "example.net", "Config.Domainname"),
    "tty": (False, True, "Config.Tty"),
    "interactive": (False, True, "Config.OpenStdin"),
    "stop_timeout": (1, 2, "Config.StopTimeout"),
    "read_only": (False, True, "HostConfig.ReadonlyRootfs"),
    "cap_drop": (["MKNOD"], ["CHOWN", "MKNOD"], "HostConfig.CapDrop"),
    "security_opts": (["no-new-privileges"], ["seccomp=unconfined"], "HostConfig.SecurityOpt"),
    "sysctls": ({"net.ipv4.ip_forward": 1}, {"net.ipv4.ip_forward": 0}, "HostConfig.Sysctls"),
    "ulimits": (["nofile:512:1024"], ["nofile:256:1024"], "HostConfig.Ulimits"),
    "shm_size": ("32M", "16M", "HostConfig.ShmSize"),
    "oom_score_adj": (100, 200, "HostConfig.OomScoreAdj"),
    "tmpfs": (["/run:size=1m"], ["/run:size=2m"], "HostConfig.Tmpfs"),
    "volumes": (["data:/bound"], ["data:/bound:ro"], "HostConfig.Binds"),
    "mounts": (
        [{"type": "volume", "source": "data", "target": "/data"}],
        [{"type": "tmpfs", "target": "/data", "tmpfs_size": "1M"}],
        "HostConfig.Mounts",
    ),
    "etc_hosts": ({"db": "10.0.0.1"}, {"db": "10.0.0.2"}, "HostConfig.ExtraHosts"),
    "dns_servers": (["10.0.0.53"], ["10.0.0.54"], "HostConfig.Dns"),
    "exposed_ports": (["80"], ["81/udp"], "Config.ExposedPorts"),
    "devices": (["/dev/null:/dev/zilch"], ["/dev/null:/dev/zilch:r"], "HostConfig.Devices"),
    "healthcheck": (
        {"test": ["CMD", "true"], "interval": "30s"},
        {"test": "true", "interval": "1m30s"},
        "Config.Healthcheck",
    ),
}


def fields(result: dict[str, Any]) -> set[str]:
    """Options that the diff names."""
    return {name for entry in result["diff"] for name in (*entry["before"], *entry["after"])}


def test_options_that_need_a_new_container(fleet: Fleet) -> None:
    first = {option: values[0] for option, values in RECREATED.items()}
    second = {option: values[1] for option, values in RECREATED.items()}
    fleet.apply("container", **WEB, **first)
    before = fleet.inspect("web")
    changed = fleet.apply("container", **WEB, **second)
    assert verbs(changed) == ["recreate"]
    assert fields(changed) == set(RECREATED)
    after = fleet.inspect("web")
    for _first, _second, path in RECREATED.values():
        section, name = path.split(".")
        assert after[section].get(name) != before[section].get(name), path
    # Dropped from the playbook: they go back to what they are without the option.
    dropped = fleet.apply("container", **WEB)
    assert verbs(dropped) == ["recreate"]
    assert fields(dropped) == set(RECREATED)
    assert fleet.names() == {"web"}


# option: value, changed value; both can be set on a running container
TAKEN_OFF_LIVE = {"pids_limit", "restart_policy"}
LIVE: dict[str, tuple[Any, Any]] = {
    "memory": ("64M", "128M"),
    "memory_reservation": ("16M", "32M"),
    "cpu_shares": (512, 256),
    "cpus": (0.5, 0.25),
    "cpuset_cpus": ("0", "0-1"),
    "pids_limit": (50, 60),
    "restart_policy": ("unless-stopped", "always"),
}


def test_options_that_are_set_live(fleet: Fleet) -> None:
    fleet.apply("container", **WEB)
    made = fleet.id("web")
    for number in (0, 1):
        options = {option: values[number] for option, values in LIVE.items()}
        changed = fleet.apply("container", **WEB, **options)
        assert verbs(changed) == ["update"]
        assert fields(changed) == set(LIVE)
    assert fleet.id("web") == made
    # No label of the container can say that they were set; what shows has to do.
    options = {option: options[option] for option in options if option not in TAKEN_OFF_LIVE}
    dropped = fleet.apply("container", **WEB, **options)
    assert verbs(dropped) == ["update"]
    assert fields(dropped) == TAKEN_OFF_LIVE
    # Limits can be lowered live but not taken off.
    dropped = fleet.apply("container", **WEB)
    assert verbs(dropped) == ["recreate"]
    assert fields(dropped) == set(LIVE) - TAKEN_OFF_LIVE


def test_limits_changed_by_hand_are_repaired(fleet: Fleet) -> None:
    fleet.apply("container", **WEB, memory="64M", restart_policy="always")
    answer = fleet.client.post(
        "/containers/web/update",
        {"Memory": 32 << 20, "MemorySwap": 64 << 20, "RestartPolicy": {"Name": "no"}},
    )
    assert answer.status == 200, answer.body
    assert verbs(fleet.apply("container", **WEB, memory="64M", restart_policy="always")) == [
        "update"
    ]
    assert fleet.inspect("web")["HostConfig"]["Memory"] == 64 << 20


def test_swap_that_was_set_live_goes_with_its_option(fleet: Fleet) -> None:
    """The engine sets the swap limit, too, when nobody asks: only another value is a leftover."""
    fleet.apply("container", **WEB, memory="64M")
    made = fleet.id("web")
    assert verbs(fleet.apply("container", **WEB, memory="64M", memory_swap="200M")) == ["update"]
    dropped = fleet.apply("container", **WEB, memory="64M")
    assert verbs(dropped) == ["update"]
    assert fields(dropped) == {"memory_swap"}
    assert fleet.inspect("web")["HostConfig"]["MemorySwap"] == 128 << 20
    assert fleet.id("web") == made


def test_same_in_other_words_is_no_change(fleet: Fleet) -> None:
    fleet.apply(
        "container",
        **{**WEB, "command": "sleep 600"},
        memory="64M",
        cap_add=["CAP_NET_ADMIN"],
        volumes=["data:/data:rw"],
        healthcheck={"test": "true", "interval": "90s"},
        env={"N": "1"},
    )
    again = fleet.run(
        "container",
        **WEB,
        memory=str(64 << 20),
        cap_add=["net_admin"],
        volumes=["data:/data"],
        healthcheck={"test": ["CMD-SHELL", "true"], "interval": "1m30s"},
        env={"N": 1},
    )
    assert again["actions"] == []


def test_variables_of_the_image_stay(fleet: Fleet) -> None:
    """The image's own variables, labels and ports are nobody's drift."""
    tar = fleet.client.get("/images/busybox/json").json
    assert tar["Config"]["Cmd"]
    fleet.apply("container", name="web", image="busybox", tty=True, interactive=True)
    assert fleet.inspect("web")["Config"]["Cmd"] == tar["Config"]["Cmd"]


def test_networks_are_joined_and_left_live(fleet: Fleet) -> None:
    for name in ("front", "back"):
        fleet.run("network", name=name)
    fleet.apply("container", **WEB, networks=[{"name": "front", "aliases": ["www"]}])
    made = fleet.id("web")
    both = [{"name": "front", "aliases": ["www"]}, {"name": "back"}]
    assert verbs(fleet.apply("container", **WEB, networks=both)) == ["connect"]
    assert set(fleet.inspect("web")["NetworkSettings"]["Networks"]) == {"front", "back"}
    assert verbs(fleet.apply("container", **WEB, networks=["back"])) == ["disconnect"]
    assert fleet.id("web") == made
    fleet.client.post("/networks/front/connect", {"Container": "web"})
    assert verbs(fleet.apply("container", **WEB, networks=["back"])) == ["disconnect"]


def test_static_address(fleet: Fleet) -> None:
    fleet.run("network", name="lan", ipam_config=[{"subnet": "10.231.7.0/24"}])
    fleet.apply("container", **WEB, networks=[{"name": "lan", "ipv4_address": "10.231.7.9"}])
    lan = fleet.inspect("web")["NetworkSettings"]["Networks"]["lan"]
    assert lan["IPAddress"] == "10.231.7.9"
    fleet.apply("container", **WEB, networks=[{"name": "lan", "ipv4_address": "10.231.7.10"}])
    lan = fleet.inspect("web")["NetworkSettings"]["Networks"]["lan"]
    assert lan["IPAddress"] == "10.231.7.10"


def test_published_port(fleet: Fleet) -> None:
    fleet.run("network", name="lan")
    options = {**WEB, "networks": ["lan"]}
    fleet.apply("container", **options, published_ports=["127.0.0.1:18099:80"])
    ports = fleet.inspect("web")["NetworkSettings"]["Ports"]
    assert ports["80/tcp"] == [{"HostIp": "127.0.0.1", "HostPort": "18099"}]
    assert verbs(fleet.apply("container", **options)) == ["recreate"]
    assert not fleet.inspect("web")["HostConfig"]["PortBindings"]


def test_namespaces_of_another_container(fleet: Fleet) -> None:
    """An engine keeps the other container's ID; the name that was given is the same."""
    fleet.apply("container", **{**WEB, "name": "main"})
    fleet.apply("container", **WEB, network_mode="container:main", pid_mode="container:main")
    assert (
        verbs(
            fleet.run("container", **WEB, network_mode="container:main", pid_mode="container:main")
        )
        == []
    )


def test_recreate_that_cannot_start_puts_the_old_one_back(fleet: Fleet) -> None:
    fleet.apply("container", **WEB)
    made = fleet.id("web")
    failed = fleet.run("container", **{**WEB, "command": ["/nowhere"]}, fails=True)
    assert "web" in failed["msg"]
    assert fleet.id("web") == made
    assert fleet.inspect("web")["State"]["Running"]
    assert fleet.names() == {"web"}


def test_recreate_that_cannot_create_puts_the_old_one_back(fleet: Fleet) -> None:
    fleet.apply("container", **WEB)
    made = fleet.id("web")
    mounts = [{"type": "bind", "source": "/nowhere/at/all", "target": "/data"}]
    failed = fleet.run("container", **WEB, mounts=mounts, fails=True)
    assert "/nowhere/at/all" in failed["msg"]
    assert fleet.id("web") == made
    assert fleet.inspect("web")["State"]["Running"]
    assert fleet.names() == {"web"}


def test_recreate_and_restart_on_demand(fleet: Fleet) -> None:
    options = {**WEB}
    fleet.run("container", **options)
    made = fleet.id("web")
    assert verbs(fleet.run("container", **options, restart=True)) == ["restart"]
    assert fleet.id("web") == made
    assert verbs(fleet.run("container", **options, recreate=True)) == ["recreate"]
    assert fleet.id("web") != made


def test_name_is_not_taken_for_the_beginning_of_an_id(fleet: Fleet) -> None:
    fleet.run("container", **WEB)
    fleet.run("network", name="lan")
    prefix = fleet.id("web")[:4]
    fleet.run("container", name=prefix, state="absent")
    fleet.apply("container", **{**WEB, "name": prefix})
    assert fleet.names() == {"web", prefix}
    prefix = fleet.client.get("/networks/lan").json["Id"][:4]
    fleet.run("network", name=prefix, state="absent")
    fleet.apply("network", name=prefix)


@pytest.mark.parametrize("crash", ["aside", "created"])
def test_interrupted_recreation_is_finished(fleet: Fleet, crash: str) -> None:
    options = {**WEB}
    fleet.run("container", **options)
    fleet.client.post("/containers/web/rename", name="web.davit-old")
    if crash == "created":
        body = {"Image": "busybox", "Cmd": ["sleep", "600"]}
        fleet.client.post("/containers/create", body, name="web")
    fleet.run("container", **options)
    assert fleet.inspect("web")["State"]["Running"]
    assert fleet.names() == {"web"}
    assert not fleet.run("container", **options)["changed"]


def test_old_container_left_beside_a_running_one(fleet: Fleet) -> None:
    """The crash came after the new one ran and before the old one was removed."""
    options = {**WEB}
    fleet.run("container", **options)
    body = {"Image": "busybox", "Cmd": ["sleep", "600"]}
    fleet.client.post("/containers/create", body, name="web.davit-old")
    fleet.apply("container", **options, env={"A": "1"})
    assert fleet.names() == {"web"}


def test_healthy(fleet: Fleet) -> None:
    check = {"test": ["CMD", "true"], "interval": "1s", "retries": 1}
    fleet.run("container", **WEB, healthcheck=check, state="healthy")
    assert fleet.inspect("web")["State"]["Health"]["Status"] == "healthy"
    assert not fleet.run("container", **WEB, healthcheck=check, state="healthy")["changed"]


def test_unhealthy_says_why(fleet: Fleet) -> None:
    check = {"test": "echo no database; false", "interval": "1s", "retries": 1}
    failed = fleet.run(
        "container",
        **WEB,
        healthcheck=check,
        state="healthy",
        healthy_timeout=20,
        fails=True,
    )
    assert "no database" in failed["msg"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"published_ports": ["80:http"]}, "published_ports"),
        ({"memory": "much"}, "memory"),
        ({"env": {"DEBUG": True}}, "DEBUG"),
        ({"restart_policy": "sometimes"}, "restart_policy"),
        ({"ulimits": ["nofile"]}, "ulimits"),
        ({"volumes": ["relative/path:/data"]}, "volumes"),
        ({"networks": [{"name": "lan", "adress": "1"}]}, "adress"),
        ({"image": "nowhere:1"}, "nowhere:1"),
    ],
)
def test_wrong_value_is_named(fleet: Fleet, options: dict[str, Any], said: str) -> None:
    failed = fleet.run("container", **{**WEB, **options}, fails=True)
    assert said in failed["msg"]
    assert fleet.names() == set()
