"""Device nodes and device rules. Source: OCI config-linux.md, kernel: cgroup-v1/devices.rst."""

from __future__ import annotations

import posixpath
import re
from typing import Any

from davit.errors import InvalidParameter
from davit.model.config import DeviceMapping, HostConfig
from davit.model.host import HostDevice
from davit.spec.facts import SpecFacts

_RULE = re.compile(r"([abc]) (\d+|\*):(\d+|\*) ([rwm]{1,3})\Z")
_DENY_ALL = {"allow": False, "access": "rwm"}
_ALLOW_ALL = {"allow": True, "access": "rwm"}


def nodes(host: HostConfig, facts: SpecFacts) -> list[dict[str, Any]]:
    """Return the nodes to make in ``/dev`` beside those that the runtime always makes."""
    found: dict[str, HostDevice] = {}
    if host.privileged:
        found = {device.path: device for device in facts.host_devices}
    for mapping in host.devices:
        for path, device in _mapped(mapping, facts):
            found[path] = device
    return [
        {
            "path": path,
            "type": device.kind,
            "major": device.major,
            "minor": device.minor,
            "fileMode": device.mode,
            "uid": device.uid,
            "gid": device.gid,
        }
        for path, device in found.items()
    ]


def rules(host: HostConfig, facts: SpecFacts) -> list[dict[str, Any]]:
    """Return the cgroup's rules; the runtime adds those of the nodes that it always makes."""
    if host.privileged:
        return [_ALLOW_ALL]
    allowed = [
        {
            "allow": True,
            "type": device.kind,
            "major": device.major,
            "minor": device.minor,
            "access": mapping.cgroup_permissions or "rwm",
        }
        for mapping in host.devices
        for _, device in _mapped(mapping, facts)
    ]
    return [_DENY_ALL, *allowed, *map(_rule, host.device_cgroup_rules)]


def check(host: HostConfig) -> None:
    """Raise InvalidParameter for malformed permissions and rules."""
    for mapping in host.devices:
        if not mapping.path_on_host.startswith("/"):
            raise InvalidParameter(
                f"invalid device {mapping.path_on_host!r}: an absolute path is needed"
            )
        if set(mapping.cgroup_permissions) - set("rwm"):
            raise InvalidParameter(
                f"invalid device mode {mapping.cgroup_permissions!r} of {mapping.path_on_host}: "
                "use r, w and m"
            )
    for text in host.device_cgroup_rules:
        _rule(text)


def _mapped(mapping: DeviceMapping, facts: SpecFacts) -> list[tuple[str, HostDevice]]:
    """Pairs of a path in the container and a node; a directory gives all that it holds."""
    target = mapping.path_in_container or mapping.path_on_host
    found = facts.devices.get(mapping.path_on_host, [])
    if not found:
        raise InvalidParameter(
            "error gathering device information while adding custom device "
            f'"{mapping.path_on_host}": no device there'
        )
    if len(found) == 1 and found[0].path == mapping.path_on_host:
        return [(target, found[0])]
    return [
        (posixpath.join(target, posixpath.relpath(device.path, mapping.path_on_host)), device)
        for device in found
    ]


def _rule(text: str) -> dict[str, Any]:
    match = _RULE.match(text)
    if not match:
        raise InvalidParameter(
            f"invalid device cgroup rule format: '{text}': use 'TYPE MAJOR:MINOR ACCESS', such as "
            "'c 10:229 rwm'"
        )
    kind, major, minor, access = match.groups()
    rule: dict[str, Any] = {"allow": True, "type": kind, "access": access}
    if major != "*":
        rule["major"] = int(major)
    if minor != "*":
        rule["minor"] = int(minor)
    return rule
