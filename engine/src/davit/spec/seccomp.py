"""The seccomp filter of a container: the default profile, or one given in Docker's JSON format.

Source: OCI config-linux.md, "Seccomp"; Docker's documentation, "Seccomp security profiles".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from davit.errors import InvalidParameter
from davit.model.config import HostConfig
from davit.model.host import HostFacts
from davit.spec import seccomp_profile as default
from davit.spec.security import Options

_ALLOW, _ERRNO = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"
_EPERM, _ENOSYS = 1, 38
# What a profile calls the machines (Go's names) → uname -m.
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


class Condition(msgspec.Struct, frozen=True, rename="camel"):
    """When an entry of a profile counts (``includes``), or does not (``excludes``)."""

    caps: list[str] | None = None
    arches: list[str] | None = None
    min_kernel: str = ""


class Rule(msgspec.Struct, frozen=True, rename="camel"):
    """An entry of a profile's ``syscalls``; ``name`` is the old way of one-element ``names``."""

    action: str
    names: list[str] | None = None
    name: str = ""
    args: list[dict[str, Any]] | None = None
    errno_ret: int | None = None
    includes: Condition | None = None
    excludes: Condition | None = None


class ArchMap(msgspec.Struct, frozen=True, rename="camel"):
    architecture: str
    sub_architectures: list[str] | None = None


class Profile(msgspec.Struct, frozen=True, rename="camel"):
    """A profile in Docker's format: the OCI one with conditions and a map of architectures."""

    default_action: str
    default_errno_ret: int | None = None
    architectures: list[str] | None = None
    arch_map: list[ArchMap] | None = None
    flags: list[str] | None = None
    syscalls: list[Rule] | None = None


def build(
    host: HostConfig, options: Options, capabilities: Sequence[str], facts: HostFacts
) -> dict[str, Any] | None:
    """Return the OCI ``linux.seccomp``, None for no filter.

    A kernel without seccomp runs containers without the default profile, as with Docker, but not
    without one that was asked for.
    """
    profile = options.seccomp
    if profile == "unconfined" or (host.privileged and profile is None):
        return None
    if not facts.seccomp:
        if profile is None:
            return None
        raise InvalidParameter(
            "seccomp profile given, but this kernel has no seccomp filters: use "
            "--security-opt seccomp=unconfined"
        )
    if profile is None:
        return _default(set(capabilities), facts)
    return _resolve(_parse(profile), set(capabilities), facts)


def check(options: Options) -> None:
    """Raise InvalidParameter when a profile cannot be read."""
    if options.seccomp not in (None, "unconfined"):
        _parse(str(options.seccomp))


def _default(capabilities: set[str], facts: HostFacts) -> dict[str, Any]:
    names = list(default.ALLOWED)
    if facts.kernel >= (4, 8):
        names += default.SINCE_4_8.split()
    names += default.BY_ARCHITECTURE.get(facts.architecture, "").split()
    for capability, more in default.BY_CAPABILITY.items():
        if capability in capabilities:
            names += more.split()
    calls: list[dict[str, Any]] = [{"names": list(dict.fromkeys(names)), "action": _ALLOW}]
    for name, argument in default.CONDITIONAL:
        calls.append(_allow_if(name, argument))
    if "CAP_SYS_ADMIN" not in capabilities:
        index = 1 if facts.architecture.startswith("s390") else 0
        flags = default.Argument(index, default.CLONE_NAMESPACES, "SCMP_CMP_MASKED_EQ")
        calls.append(_allow_if("clone", flags))
        # A filter cannot look at clone3's flags; with ENOSYS the C library falls back to clone.
        calls.append({"names": ["clone3"], "action": _ERRNO, "errnoRet": _ENOSYS})
    return {
        "defaultAction": _ERRNO,
        "defaultErrnoRet": _EPERM,
        "architectures": [
            name
            for name in default.ARCHITECTURES.get(facts.architecture, ())
            # The runtime compiles the filter at each start; an ABI costs it up to 8 ms.
            if name != "SCMP_ARCH_X32" or facts.x32
        ],
        "syscalls": calls,
    }


def _allow_if(name: str, argument: default.Argument) -> dict[str, Any]:
    condition = {"index": argument.index, "value": argument.value, "op": argument.operator}
    return {"names": [name], "action": _ALLOW, "args": [condition]}


def _parse(text: str) -> Profile:
    try:
        return msgspec.json.decode(text, type=Profile)
    except msgspec.MsgspecError as error:
        raise InvalidParameter(
            f"Decoding seccomp profile failed: {error}; give the profile's JSON text, or unconfined"
        ) from None


def _resolve(profile: Profile, capabilities: set[str], facts: HostFacts) -> dict[str, Any] | None:
    """Keep of a profile what counts on this machine and for these capabilities."""
    if not profile.syscalls and not profile.default_action:
        return None
    if profile.architectures and profile.arch_map:
        raise InvalidParameter(
            "seccomp profile: 'architectures' and 'archMap' are both given: keep one"
        )
    native = default.ARCHITECTURES.get(facts.architecture, ("",))[0]
    architectures = list(profile.architectures or [])
    for entry in profile.arch_map or []:
        if entry.architecture == native:
            architectures = [native, *(entry.sub_architectures or [])]
    result: dict[str, Any] = {
        "defaultAction": profile.default_action,
        "architectures": architectures,
        "syscalls": [
            _call(rule) for rule in profile.syscalls or [] if _counts(rule, capabilities, facts)
        ],
    }
    if profile.default_errno_ret is not None:
        result["defaultErrnoRet"] = profile.default_errno_ret
    if profile.flags:
        result["flags"] = profile.flags
    return result


def _call(rule: Rule) -> dict[str, Any]:
    if rule.name and rule.names:
        raise InvalidParameter(
            f"seccomp profile: 'name' ({rule.name}) and 'names' are both given: keep one"
        )
    call: dict[str, Any] = {"names": rule.names or [rule.name], "action": rule.action}
    if rule.args:
        call["args"] = rule.args
    if rule.errno_ret is not None:
        call["errnoRet"] = rule.errno_ret
    return call


def _counts(rule: Rule, capabilities: set[str], facts: HostFacts) -> bool:
    if excludes := rule.excludes:
        if excludes.arches and _is_among(facts.architecture, excludes.arches):
            return False
        if excludes.caps and capabilities & set(excludes.caps):
            return False
        if excludes.min_kernel and facts.kernel >= _kernel(excludes.min_kernel):
            return False
    if includes := rule.includes:
        if includes.arches and not _is_among(facts.architecture, includes.arches):
            return False
        if includes.caps and not set(includes.caps) <= capabilities:
            return False
        if includes.min_kernel and facts.kernel < _kernel(includes.min_kernel):
            return False
    return True


def _is_among(machine: str, arches: Iterable[str]) -> bool:
    return machine in {_MACHINES.get(name, name) for name in arches}


def _kernel(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    if not (major.isdecimal() and minor.isdecimal()):
        raise InvalidParameter(f"seccomp profile: minKernel {text!r}: use MAJOR.MINOR")
    return int(major), int(minor)
