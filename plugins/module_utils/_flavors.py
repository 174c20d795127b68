# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""The engines that a host has: davit, and Moby (Docker Engine)."""

from __future__ import annotations

import subprocess

UNITS = {"davit": "davit.service", "moby": "docker.service"}
PROGRAMS = {"davit": "davitd", "moby": "dockerd"}
# The distribution's package of Moby, and those that hold another build of it.
PACKAGE = "docker.io"
FOREIGN = ("docker-ce", "docker-engine", "moby-engine")


def running() -> list[str]:
    """Return the flavors whose service runs."""
    return [name for name, unit in sorted(UNITS.items()) if _is_active(unit)]


def packages() -> dict[str, dict[str, object]]:
    """Return version and hold of the installed packages of Moby, by their names."""
    fields = ("Package", "db:Status-Want", "db:Status-Status", "Version")
    shown = "\\t".join(f"${{{field}}}" for field in fields) + "\\n"
    try:
        done = subprocess.run(
            ["dpkg-query", "--show", f"--showformat={shown}", PACKAGE, *FOREIGN],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    except FileNotFoundError:
        return {}
    rows = [line.split("\t") for line in done.stdout.decode().splitlines()]
    return {
        name: {"version": version, "held": want == "hold"}
        for name, want, status, version in rows
        if status == "installed"
    }


def _is_active(unit: str) -> bool:
    command = ["systemctl", "is-active", "--quiet", unit]
    try:
        return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0
    except FileNotFoundError:
        return False
