"""What keeps a host from running davit is all told at once, each with its remedy."""

from __future__ import annotations

import dataclasses
import os
import socket

import pytest

from ansible_collections.davit.fleet.plugins.module_utils import _kernel, _preflight

WANTED = _preflight.Wanted(
    root="/opt/davit", data_root="/var/lib/davit", space={"/var/lib/davit": 1 << 30}
)
GOOD = _preflight.Facts(
    uid=0,
    architecture="x86_64",
    kernel="6.1.0-30-amd64",
    libc=("glibc", "2.36"),
    python=(3, 11),
    python_missing=(),
    systemd=True,
    cgroup_version=2,
    cgroup_controllers=("cpu", "io", "memory", "pids"),
    cgroup_writable=True,
    features={"overlayfs": None, "nftables": None},
    commands={"runc": None, "nft": "/usr/sbin/nft"},
    package_manager="apt-get",
    free={"/var/lib/davit": 2 << 30},
    ports={},
    releases={},
    current=None,
)


def test_a_good_host_has_no_problem():
    assert _preflight.find_problems(GOOD, WANTED) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"uid": 1000}, ["root", "become: true"]),
        ({"architecture": "riscv64"}, ["riscv64", "x86_64 and aarch64"]),
        ({"kernel": "3.10.0-1160.el7"}, ["3.10.0-1160.el7", "4.18"]),
        ({"python": (3, 9)}, ["Python 3.9", "3.10", "ansible_python_interpreter"]),
        ({"python_missing": ("sqlite3",)}, ["sqlite3", "python3-minimal"]),
        ({"systemd": False}, ["systemd"]),
        ({"cgroup_version": 0, "cgroup_controllers": ()}, ["no cgroups", "mount cgroup2"]),
        ({"cgroup_controllers": ("cpu", "pids")}, ["memory", "off"]),
        ({"cgroup_writable": False}, ["read-only"]),
        ({"features": {"overlayfs": "Invalid argument"}}, ["overlayfs", "Invalid argument"]),
        ({"package_manager": None}, ["runc", "by hand"]),
        ({"free": {"/var/lib/davit": 5 << 20}}, ["5 MiB", "1024 MiB", "make room"]),
        ({"ports": {2376: "nginx (process 12)"}}, ["2376", "nginx (process 12)"]),
    ],
)
def test_each_problem_tells_what_and_what_to_do(change, words):
    (problem,) = _preflight.find_problems(dataclasses.replace(GOOD, **change), WANTED)
    for word in words:
        assert word in problem


MOBY = dataclasses.replace(WANTED, flavor="moby")


def test_moby_needs_less():
    facts = dataclasses.replace(
        GOOD,
        python=(3, 8),
        kernel="4.15.0",
        architecture="riscv64",
        features={"nftables": "Operation not permitted"},
    )
    assert _preflight.find_problems(facts, MOBY) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"running": ["davit"]}, ["davit.service runs here", "davit_engine_other", "remove"]),
        ({"package_manager": "dnf"}, ["apt"]),
        ({"moby": {"docker-ce": {"version": "5:27", "held": False}}}, ["docker-ce", "remove it"]),
    ],
)
def test_each_problem_with_moby(change, words):
    facts = dataclasses.replace(GOOD, **change)
    problem = _preflight.find_problems(facts, MOBY)[0]
    for word in words:
        assert word in problem


def test_an_engine_of_the_other_flavor():
    facts = dataclasses.replace(GOOD, running=["moby"])
    (problem,) = _preflight.find_problems(facts, WANTED)
    assert "docker.service" in problem
    for other in ("keep", "remove"):
        told = dataclasses.replace(WANTED, other=other)
        assert _preflight.find_problems(facts, told) == []
    assert _preflight.find_problems(dataclasses.replace(facts, running=["davit"]), WANTED) == []


def test_all_problems_are_told_at_once():
    bad = dataclasses.replace(GOOD, systemd=False, cgroup_writable=False, kernel="2.6.32")
    assert len(_preflight.find_problems(bad, WANTED)) == 3


@pytest.mark.parametrize(
    ("manager", "packages"),
    [("apt-get", ["iproute2", "nftables"]), ("dnf", ["iproute", "nftables"])],
)
def test_packages_by_their_distributions_names(manager, packages):
    commands = {"ip": None, "nft": None, "runc": "/usr/bin/runc"}
    facts = dataclasses.replace(GOOD, package_manager=manager, commands=commands)
    assert _preflight.missing_packages(facts) == packages


def test_this_machine_is_read_and_left_alone(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        wanted = _preflight.Wanted(
            root=str(tmp_path / "opt"),
            data_root=str(tmp_path / "data"),
            commands=("sh", "no-such-command"),
            ports=(port,),
            space={str(tmp_path): 1},
        )
        facts = _preflight.gather(wanted)
    assert facts.uid == os.geteuid()
    assert facts.commands["sh"] is not None
    assert facts.commands["no-such-command"] is None
    assert f"(process {os.getpid()})" in facts.ports[port]
    assert facts.free[str(tmp_path)] > 0
    assert facts.releases == {}
    assert list(tmp_path.iterdir()) == []


def test_a_probe_reports_the_kernels_words():
    def refuse() -> None:
        raise OSError(95, os.strerror(95))

    assert _kernel.probe(refuse) == "Operation not supported"
    assert _kernel.probe(lambda: None) is None


def test_an_unknown_link_kind_is_refused_by_the_kernel():
    assert _kernel.probe(lambda: _kernel._create_link("davit-none")) is not None


def test_a_probe_leaves_no_interface():
    # By its name: other programs of this machine may make links meanwhile.
    assert _kernel.probe(lambda: _kernel._create_link("bridge")) is None
    assert "davit-probe" not in os.listdir("/sys/class/net")
