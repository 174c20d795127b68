"""Which namespaces are a container's own. Source: OCI runtime specification, config-linux.md."""

from __future__ import annotations

from davit.model.config import HostConfig
from davit.model.idmap import IdRange
from davit.spec.facts import SpecFacts


def build(host: HostConfig, facts: SpecFacts) -> list[dict[str, str]]:
    """Return the OCI list: without a path a new one, with a path that one, absent the host's."""
    spaces = [{"type": "mount"}]
    if facts.netns is not None:
        spaces.append({"type": "network", "path": facts.netns})
    if host.uts_mode != "host":
        spaces.append({"type": "uts"})
    if host.ipc_mode != "host":
        spaces.append(_space("ipc", facts.ipc_path))
    if host.pid_mode != "host":
        spaces.append(_space("pid", facts.pid_path))
    if host.cgroupns_mode != "host":
        spaces.append({"type": "cgroup"})
    if facts.remap is not None:
        spaces.append({"type": "user", "path": facts.remap.userns})
    return spaces


def mappings(ranges: list[IdRange]) -> list[dict[str, int]]:
    """The OCI form of a user namespace's map."""
    return [
        {"containerID": entry.inside, "hostID": entry.outside, "size": entry.size}
        for entry in ranges
    ]


def _space(kind: str, path: str) -> dict[str, str]:
    return {"type": kind, "path": path} if path else {"type": kind}
