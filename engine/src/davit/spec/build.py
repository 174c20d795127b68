"""Pure: a container and the facts of its start become the ``config.json`` of an OCI bundle.

Source: OCI runtime specification 1.0.2 (config.md, config-linux.md); the defaults are Docker's.
"""

from __future__ import annotations

from typing import Any

from davit.model.container import Container
from davit.model.host import HostFacts
from davit.spec import (
    capabilities,
    devices,
    mounts,
    namespaces,
    process,
    resources,
    seccomp,
    security,
    sysctls,
)
from davit.spec.facts import SpecFacts

OCI_VERSION = "1.0.2"


def build(container: Container, facts: SpecFacts) -> dict[str, Any]:
    """Return the OCI configuration. Raises InvalidParameter for what this machine cannot give."""
    check(container, facts.host)
    config, host = container.config, container.host_config
    options = security.parse(host.security_opt)
    granted = capabilities.granted(host, facts.host)
    spaces = namespaces.build(host, facts)
    linux: dict[str, Any] = {
        "namespaces": spaces,
        "cgroupsPath": facts.cgroups_path,
        "resources": {
            **resources.build(host, facts),
            "devices": devices.rules(host, facts),
        },
        "devices": devices.nodes(host, facts),
        "maskedPaths": security.masked_paths(host, options),
        "readonlyPaths": security.readonly_paths(host, options),
        "sysctl": sysctls.build(config, host, facts),
        "rootfsPropagation": mounts.root_propagation(container),
    }
    if facts.remap is not None:
        linux["uidMappings"] = namespaces.mappings(facts.remap.ids.uids)
        linux["gidMappings"] = namespaces.mappings(facts.remap.ids.gids)
    filter_ = seccomp.build(host, options, granted, facts.host)
    if filter_ is not None:
        linux["seccomp"] = filter_
    spec: dict[str, Any] = {
        "ociVersion": OCI_VERSION,
        "process": process.build(container, facts, granted, options),
        "root": {"path": facts.rootfs, "readonly": host.readonly_rootfs},
        "mounts": mounts.build(container, facts),
        "linux": linux,
    }
    if "uts" in (space["type"] for space in spaces):
        spec["hostname"] = config.hostname
    if host.annotations:
        spec["annotations"] = host.annotations
    return spec


def check(container: Container, host: HostFacts) -> None:
    """Raise what :func:`build` would raise for options alone; for use at creation.

    Raises InvalidParameter or NotSupported with the option, its value and what to do.
    """
    asked = container.host_config
    options = security.parse(asked.security_opt)
    security.check(options, host)
    capabilities.check(asked, host)
    process.check_limits(asked, host)
    devices.check(asked)
    sysctls.check(asked)
    mounts.check(asked)
    seccomp.check(options)
