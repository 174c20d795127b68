#!/usr/bin/python
# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""davit.fleet.container"""

from __future__ import annotations

DOCUMENTATION = r"""
module: container
short_description: Declare a container
version_added: 0.1.0
author: The davit authors (@davit)
description:
  - Brings a container into the declared state.
  - Limits, the restart policy, the name and networks are changed while it runs. Where that is not possible,
    the container is made anew; the old one is kept until the new one runs, and put back if that fails.
  - An option that the engine's API does not know is an error that names the version needed.
  - An option that was applied before and is not given any more is reverted to its default. What was changed
    by hand is repaired. How an engine writes a value makes no difference.
extends_documentation_fragment:
  - davit.fleet.engine
  - davit.fleet.process
options:
  name:
    description: Name of the container.
    type: str
    required: true
  state:
    description:
      - What is to become of it.
      - V(started) is running; V(healthy) waits until its health check passes, too; V(stopped) is there and does not run; V(present) is there, running or not.
    type: str
    choices: [absent, healthy, present, started, stopped]
    default: started
  image:
    description:
      - Image reference or ID. Needed to make the container, or to make it anew.
      - Without it, the container is only acted on; what is not given stays as it is.
    type: str
  recreate:
    description: Whether to make the container anew although nothing differs.
    type: bool
    default: false
  restart:
    description: Whether to restart a container that runs and has not been changed.
    type: bool
    default: false
  renamed_from:
    description: Name that the container had before. It is renamed and not made anew.
    type: str
  healthy_timeout:
    description: Seconds to wait for O(state=healthy).
    type: int
    default: 300
  remove_volumes:
    description: With O(state=absent), whether to remove its anonymous volumes.
    type: bool
    default: false
  adopt:
    description:
      - Whether to take over a container of that name which belongs to a workload, or in a workload, to another one or to nobody.
      - It stays as it is as long as it fits.
    type: bool
    default: false
  platform:
    description: Platform of the image, V(linux/amd64).
    type: str
  networks:
    description:
      - Networks that it joins, a name each, or a dictionary with C(name), and as needed C(aliases), C(ipv4_address),
        C(ipv6_address), C(link_local_ips), C(mac_address), C(gw_priority) and C(driver_opts).
      - C(gw_priority) decides which network brings the default route; the highest one does. C(driver_opts) with
        C(com.docker.network.endpoint.ifname) names the interface.
      - A MAC address that is dropped stays until the network is joined anew.
      - The list is complete. Networks are joined and left while the container runs.
    type: list
    elements: raw
  command:
    description: Command, a list or a text that is split as a shell does.
    type: raw
  entrypoint:
    description: Entrypoint.
    type: list
    elements: str
  labels:
    description: Labels.
    type: dict
  annotations:
    description: Annotations for the OCI runtime. Needs API 1.43.
    type: dict
  domainname:
    description: Domain name.
    type: str
  stop_timeout:
    description: Seconds between that signal and a kill.
    type: int
  auto_remove:
    description: Whether it is removed when it ends.
    type: bool
  runtime:
    description: OCI runtime.
    type: str
  memory:
    description: Memory limit, V(512M). Can be changed live, but only taken off by making the container anew.
    type: str
  memory_reservation:
    description: Memory that it keeps under pressure.
    type: str
  memory_swap:
    description:
      - Memory and swap together, V(-1) for no limit. By default twice the memory.
      - A limit that was set live is reverted when the option is dropped, but for V(-1), which engines show, too,
        where the kernel counts no swap.
    type: str
  memory_swappiness:
    description: Swappiness from 0 to 100.
    type: int
  cpus:
    description: Number of CPUs, V(1.5).
    type: float
  cpu_shares:
    description: Relative weight.
    type: int
  cpu_period:
    description: Length of a scheduling period in microseconds.
    type: int
  cpu_quota:
    description: Microseconds of CPU time in a period.
    type: int
  cpuset_cpus:
    description: CPUs that it may use, V(0-3).
    type: str
  cpuset_mems:
    description: Memory nodes that it may use.
    type: str
  cpu_rt_period:
    description: Length of a period of the real-time scheduler in microseconds.
    type: int
  cpu_rt_runtime:
    description: Microseconds of such a period that its real-time processes may use.
    type: int
  blkio_weight:
    description: Relative weight of its block I/O, 10 to 1000.
    type: int
  blkio_weight_device:
    description: Relative weight of its I/O on single devices.
    type: list
    elements: dict
    suboptions:
      path:
        description: Device on the host.
        type: path
        required: true
      weight:
        description: Weight, 10 to 1000.
        type: int
        required: true
  pids_limit:
    description: Number of processes, V(-1) for no limit.
    type: int
  shm_size:
    description: Size of C(/dev/shm).
    type: str
  oom_kill_disable:
    description: Whether the kernel's out-of-memory killer leaves it alone.
    type: bool
  device_read_bps:
    description: Read rate of devices.
    type: list
    elements: dict
    suboptions:
      path:
        description: Device on the host.
        type: path
        required: true
      rate:
        description: Bytes a second.
        type: str
        required: true
  device_write_bps:
    description: Write rate of devices.
    type: list
    elements: dict
    suboptions:
      path:
        description: Device on the host.
        type: path
        required: true
      rate:
        description: Bytes a second.
        type: str
        required: true
  device_read_iops:
    description: Read operations of devices.
    type: list
    elements: dict
    suboptions:
      path:
        description: Device on the host.
        type: path
        required: true
      rate:
        description: Operations a second.
        type: int
        required: true
  device_write_iops:
    description: Write operations of devices.
    type: list
    elements: dict
    suboptions:
      path:
        description: Device on the host.
        type: path
        required: true
      rate:
        description: Operations a second.
        type: int
        required: true
  cgroup_parent:
    description: Cgroup under which its own is made.
    type: path
  privileged:
    description: Whether it gets all capabilities and devices that the engine itself has.
    type: bool
  security_opts:
    description: Security options, V(no-new-privileges), V(seccomp=unconfined), …
    type: list
    elements: str
  devices:
    description: Devices, V(/dev/fuse[:/dev/fuse[:rwm]]).
    type: list
    elements: str
  device_cgroup_rules:
    description: Rules for devices, V(c 10:200 rwm).
    type: list
    elements: str
  device_requests:
    description: Devices that a driver of the engine chooses, such as GPUs.
    type: list
    elements: dict
    suboptions:
      driver:
        description: Name of the driver.
        type: str
      count:
        description: Number of devices, V(-1) for all.
        type: int
      device_ids:
        description: The devices themselves, instead of a number.
        type: list
        elements: str
      capabilities:
        description: Alternatives, each a list of capabilities that are needed together, V([[gpu]]).
        type: list
        elements: list
      options:
        description: Options for the driver.
        type: dict
  cgroupns_mode:
    description: Cgroup namespace, V(private) or V(host).
    type: str
  ipc_mode:
    description: IPC namespace, V(private), V(shareable), V(host), V(none) or V(container:NAME).
    type: str
  pid_mode:
    description: PID namespace, V(host) or V(container:NAME).
    type: str
  uts_mode:
    description: UTS namespace, V(host).
    type: str
  userns_mode:
    description: User namespace, V(host).
    type: str
  volumes:
    description: Volumes and binds, V(SOURCE:DESTINATION[:MODE]).
    type: list
    elements: str
  tmpfs:
    description: File systems in memory, V(/run:size=64m).
    type: list
    elements: str
  volume_driver:
    description: Driver of volumes that are made for O(volumes).
    type: str
  volumes_from:
    description: Containers whose volumes it has, too.
    type: list
    elements: str
  storage_opts:
    description: Options of the storage driver.
    type: dict
  network_mode:
    description: V(bridge), V(host), V(none) or V(container:NAME). Use O(networks) to name networks.
    type: str
  published_ports:
    description: Published ports, V([ADDRESS:][HOST_PORT:]PORT[/udp]). Ranges are possible.
    type: list
    elements: str
  publish_all_ports:
    description: Whether all exposed ports are published on free ports.
    type: bool
  exposed_ports:
    description: Ports that it exposes, V(8080) or V(53/udp).
    type: list
    elements: str
  links:
    description:
      - Containers that it finds by another name, V(NAME[:ALIAS]).
      - For the default network, where names are not looked up otherwise; use C(aliases) in O(networks) elsewhere.
    type: list
    elements: str
  restart_policy:
    description: V(no), V(always), V(unless-stopped), V(on-failure) or V(on-failure:COUNT).
    type: str
"""

EXAMPLES = r"""
- name: Run a web server
  davit.fleet.container:
    name: web
    image: shop:1.4
    published_ports: ["80:8080"]
    env:
      STAGE: production
    memory: 256M
    restart_policy: unless-stopped
    networks:
      - name: shop
        aliases: [frontend]

- name: Mount parts of a volume and of an image, with a fixed place in the network
  davit.fleet.container:
    name: api
    image: shop-api:1.4
    mounts:
      - {type: volume, source: shop, target: /data, subpath: api}
      - {type: image, source: "shop-assets:1.4", target: /assets}
      - {type: bind, source: /srv/shop, target: /srv, read_only: true, create_mountpoint: true}
      - {type: tmpfs, target: /scratch, tmpfs_size: 64M, tmpfs_options: [noexec]}
    networks:
      - name: shop
        ipv4_address: 10.80.0.20
        gw_priority: 10
        driver_opts:
          com.docker.network.endpoint.ifname: shop0
    healthcheck:
      test: wget -q -O /dev/null http://127.0.0.1/health
      start_period: 30s
      start_interval: 1s

- name: Give it more memory while it runs
  davit.fleet.container:
    name: web
    image: shop:1.4
    published_ports: ["80:8080"]
    env:
      STAGE: production
    memory: 512M
    restart_policy: unless-stopped
    networks:
      - name: shop
        aliases: [frontend]
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be done, in this order.
  returned: success
  type: list
  elements: dict
  sample: [{"action": "update", "kind": "container", "name": "web"}]
containers:
  description: The container as it is now.
  returned: success
  type: list
  elements: dict
  sample:
    - name: web
      id: 4c01db0b339c
      state: running
      image: shop:1.4
      addresses: {"shop": "10.80.0.2"}
      ports: {"8080/tcp": ["0.0.0.0:80"]}
"""

from ansible_collections.davit.fleet.plugins.module_utils import _module
from ansible_collections.davit.fleet.plugins.module_utils._container.plan import ARGUMENTS


def main() -> None:
    module = _module.make(ARGUMENTS)
    _module.run(module, lambda: {"containers": [_module.options(module, ARGUMENTS)]})


if __name__ == "__main__":
    main()
