# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Options of what runs in a container, be it one of a host or one of a service."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  env:
    description: Environment variables.
    type: dict
  user:
    description: User and group, V(name:group) or numbers.
    type: str
  working_dir:
    description: Directory in which the command starts.
    type: str
  hostname:
    description: Host name, by default the short ID.
    type: str
  tty:
    description: Whether it gets a terminal.
    type: bool
  interactive:
    description: Whether its standard input stays open.
    type: bool
  stop_signal:
    description: Signal that asks it to end.
    type: str
  init:
    description: Whether an init process collects its orphans.
    type: bool
  groups:
    description: Additional groups of its user.
    type: list
    elements: str
  oom_score_adj:
    description: Preference of the kernel's out-of-memory killer, -1000 to 1000.
    type: int
  ulimits:
    description: Limits, V(nofile=1024:2048).
    type: list
    elements: str
  read_only:
    description: Whether its root file system is read-only.
    type: bool
  cap_add:
    description: Capabilities to add, V(NET_ADMIN) or V(ALL).
    type: list
    elements: str
  cap_drop:
    description: Capabilities to drop.
    type: list
    elements: str
  sysctls:
    description: Kernel parameters of its namespaces.
    type: dict
  mounts:
    description: Mounts in the long form.
    type: list
    elements: dict
    suboptions:
      type:
        description: Kind of mount. V(image) needs API 1.48.
        type: str
        choices: [bind, image, tmpfs, volume]
        default: volume
      source:
        description: Path on the host, or name of the volume or of the image.
        type: str
      target:
        description: Path in the container.
        type: path
        required: true
      read_only:
        description: Whether it is read-only.
        type: bool
        default: false
      propagation:
        description: Propagation of a bind.
        type: str
        choices: [private, rprivate, shared, rshared, slave, rslave]
      create_mountpoint:
        description: Whether a directory is made on the host where the source of a bind is missing. Needs API 1.42.
        type: bool
      non_recursive:
        description: Whether the mounts below the source of a bind stay out.
        type: bool
      read_only_non_recursive:
        description: Whether only the bind itself is read-only, and not the mounts below it. Needs API 1.44.
        type: bool
      read_only_force_recursive:
        description: Whether it is an error when the mounts below cannot be made read-only. Needs API 1.44.
        type: bool
      no_copy:
        description: Whether a new volume stays empty instead of getting the image's files.
        type: bool
      subpath:
        description: Part of the volume (needs API 1.45) or of the image that is mounted.
        type: str
      labels:
        description: Labels of a new volume.
        type: dict
      volume_driver:
        description: Driver of a new volume.
        type: str
      volume_options:
        description: Options for the driver of a new volume.
        type: dict
      tmpfs_size:
        description: Size of a file system in memory.
        type: str
      tmpfs_mode:
        description: Its mode in octal, V('1777').
        type: str
      tmpfs_options:
        description: Its mount options, V(noexec) or V(uid=1000). Needs API 1.46.
        type: list
        elements: str
  dns_servers:
    description: Name servers.
    type: list
    elements: str
  dns_search_domains:
    description: Search domains.
    type: list
    elements: str
  dns_opts:
    description: Options of the resolver.
    type: list
    elements: str
  etc_hosts:
    description: Further entries of C(/etc/hosts), name to address.
    type: dict
  healthcheck:
    description: Health check.
    type: dict
    suboptions:
      test:
        description: Command, a list that begins with V(CMD), V(CMD-SHELL) or V(NONE), or a text for the shell.
        type: raw
      interval:
        description: Time between checks, V(30s).
        type: str
      timeout:
        description: Time that a check may take.
        type: str
      start_period:
        description: Time in which failures do not count.
        type: str
      start_interval:
        description: Time between checks in the start period. Needs API 1.44.
        type: str
      retries:
        description: Failures in a row that make it unhealthy.
        type: int
  log_driver:
    description:
      - Log driver, such as C(json-file), C(local), C(journald), C(syslog) or C(none).
      - Without it the engine's own choice holds.
    type: str
  log_options:
    description:
      - Options of the log driver, such as C(max-size) and C(max-file).
      - The engine adds its own options when the driver is its own choice; these are no difference.
    type: dict
"""
