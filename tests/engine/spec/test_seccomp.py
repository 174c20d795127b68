from __future__ import annotations

from typing import Any

import pytest

from davit.model.config import HostConfig
from davit.model.host import HostFacts
from davit.spec import seccomp
from davit.spec.capabilities import ALL, DEFAULT
from davit.spec.security import Options


def default(*capabilities: str, **facts: Any) -> dict[str, Any]:
    host = HostFacts(capabilities=frozenset(ALL), **facts)
    built = seccomp.build(HostConfig(), Options(), capabilities, host)
    assert built is not None
    return built


def allowed(profile: dict[str, Any]) -> set[str]:
    """Calls that are allowed whatever their arguments are."""
    return {
        name
        for call in profile["syscalls"]
        if call["action"] == "SCMP_ACT_ALLOW" and "args" not in call
        for name in call["names"]
    }


def test_dangerous_calls_need_their_capability() -> None:
    calls = allowed(default(*DEFAULT))
    assert {"read", "execve", "chroot", "ptrace"} <= calls
    assert not calls & {"mount", "reboot", "bpf", "init_module", "clone", "setns", "keyctl"}
    calls = allowed(default(*DEFAULT, "CAP_SYS_ADMIN"))
    assert {"mount", "bpf", "clone", "setns"} <= calls
    assert not calls & {"reboot", "init_module"}


def test_clone_may_make_no_namespaces_and_clone3_does_not_exist() -> None:
    calls = {tuple(call["names"]): call for call in default(*DEFAULT)["syscalls"]}
    assert calls["clone",]["args"] == [
        {"index": 0, "value": 0x7E020000, "op": "SCMP_CMP_MASKED_EQ"}
    ]
    assert (calls["clone3",]["action"], calls["clone3",]["errnoRet"]) == ("SCMP_ACT_ERRNO", 38)
    assert ("clone3",) not in {
        tuple(call["names"]) for call in default(*ALL)["syscalls"] if "errnoRet" in call
    }


def test_sockets_of_dangerous_families_are_left_out() -> None:
    ranges = [
        (call["args"][0]["op"], call["args"][0]["value"])
        for call in default()["syscalls"]
        if call["names"] == ["socket"]
    ]
    assert ranges == [("SCMP_CMP_LT", 38), ("SCMP_CMP_EQ", 39), ("SCMP_CMP_GT", 40)]


@pytest.mark.parametrize(
    ("machine", "x32", "architectures"),
    [
        ("x86_64", False, ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]),
        ("x86_64", True, ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]),
        ("aarch64", False, ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]),
        ("sparc64", False, []),
    ],
)
def test_architectures_are_the_machines(machine: str, x32: bool, architectures: list[str]) -> None:
    assert default(architecture=machine, x32=x32)["architectures"] == architectures
