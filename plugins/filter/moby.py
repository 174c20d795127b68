# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Render davitd's options as those of Moby's daemon."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: to_daemon_json
short_description: Turn davitd's options into those of Moby's daemon
version_added: 0.1.0
description:
  - Returns what C(/etc/docker/daemon.json) holds for the options that mean the same to both.
  - Fails for an option that Moby lacks, or to which it gives another meaning.
author:
  - The davit authors (@davit)
options:
  _input:
    description: Options of C(davitd), under their long names.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Write the configuration of Moby
  ansible.builtin.copy:
    content: "{{ {'dns': ['192.0.2.53']} | davit.fleet.to_daemon_json | to_nice_json }}"
    dest: /etc/docker/daemon.json
    mode: "0644"
"""

RETURN = r"""
_value:
  description: The settings of Moby's daemon.
  type: dict
"""

SAME = {
    "bip",
    "bridge",
    "data-root",
    "default-cgroupns-mode",
    "default-gateway",
    "default-gateway-v6",
    "default-runtime",
    "dns",
    "dns-search",
    "fixed-cidr",
    "fixed-cidr-v6",
    "icc",
    "ip",
    "ip-masq",
    "ipv6",
    "log-driver",
    "log-level",
    "mtu",
    "tls",
    "tlscacert",
    "tlscert",
    "tlskey",
    "tlsverify",
    "userns-remap",
}
RENAMED = {
    "default-address-pool": "default-address-pools",
    "dns-opt": "dns-opts",
    "host": "hosts",
    "insecure-registry": "insecure-registries",
    "label": "labels",
    "log-opt": "log-opts",
    "registry-mirror": "registry-mirrors",
    "run-root": "exec-root",
    "add-runtime": "runtimes",
}
# What the same word means there, or why there is nothing to say.
LACKING = {
    "bip6": "dockerd of the supported distributions has no such option",
    "gc-grace": "dockerd keeps no layers of failed pulls",
    "max-layer-size": "dockerd has no such limit",
    "shutdown-timeout": "to dockerd it is the time that containers get to stop",
}
# The socket of each flavor, which clients look for.
SOCKETS = ("unix:///run/davit/davit.sock", "unix:///var/run/docker.sock", "unix:///run/docker.sock")
_LOOPBACK = ("tcp://127.", "tcp://localhost", "tcp://[::1]", "tcp://:")


def to_daemon_json(options):
    """Return the content of daemon.json for davitd's options; None counts as not set."""
    settings = {}
    for name, value in sorted(options.items()):
        if value is None:
            continue
        if name in LACKING:
            raise AnsibleFilterError(
                f"{name} is not for hosts with Moby: {LACKING[name]}; "
                "set it for hosts with davit only"
            )
        if name not in SAME and name not in RENAMED:
            raise AnsibleFilterError(f"{name} is none of davitd's options")
        convert = _CONVERSIONS.get(name, lambda same: same)
        settings[RENAMED.get(name, name)] = convert(value)
    _check_listeners(settings)
    return settings


def _listeners(urls):
    """systemd holds the flavor's own socket (docker.socket) and hands it over."""
    return ["fd://", *(url for url in urls if url not in SOCKETS and not url.startswith("fd://"))]


def _pairs(texts):
    return dict(text.split("=", 1) for text in texts)


def _runtimes(texts):
    return {name: {"path": path} for name, path in _pairs(texts).items()}


def _check_listeners(settings):
    """davitd refuses this itself, dockerd only warns."""
    open_to_all = [
        url
        for url in settings.get("hosts", ())
        if url.startswith("tcp://") and not url.startswith(_LOOPBACK)
    ]
    if open_to_all and not settings.get("tlsverify") and "tls" not in settings:
        raise AnsibleFilterError(
            f"{open_to_all[0]} without TLS is root for whoever reaches it: set davit_engine_tls, "
            "or tls to false when something else guards it"
        )


_CONVERSIONS = {"host": _listeners, "log-opt": _pairs, "add-runtime": _runtimes}


class FilterModule:
    def filters(self):
        return {"to_daemon_json": to_daemon_json}
