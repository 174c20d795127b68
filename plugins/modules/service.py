#!/usr/bin/python
# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""davit.fleet.service"""

from __future__ import annotations

DOCUMENTATION = r"""
module: service
short_description: Declare a service of a swarm
version_added: 0.1.0
author: The davit authors (@davit)
description:
  - Makes, changes, rolls back and removes services, and waits until their tasks run, or have run. Runs on a manager.
  - It fails with what the tasks say when they do not come up, and when the manager has stopped or rolled back an update.
  - An option that was applied before and is not given any more is reverted to its default. What was changed by hand is
    repaired, if it is declared. How an engine writes a value makes no difference.
  - Without O(image), a service is not declared but acted on. What is not given stays as it is.
extends_documentation_fragment:
  - davit.fleet.engine
  - davit.fleet.process
  - davit.fleet.registry
options:
  name:
    description: Name of the service.
    type: str
    required: true
  state:
    description: Whether the service is to be there.
    type: str
    choices: [absent, present]
    default: present
  image:
    description: Image of its tasks. Needed to make the service.
    type: str
  resolve_image:
    description:
      - When to ask the image's registry for its digest, to which the service is pinned then.
      - V(changed) asks when another image or tag is declared than the service has. V(always) asks each time, in check
        mode, too, and so finds a tag that means another image now. With V(never), each node takes the tag for what it
        finds, as it does when no registry answers.
    type: str
    choices: [always, changed, never]
    default: changed
  with_registry_auth:
    description:
      - Whether the nodes are given the login for the image's registry, O(username) and O(password) or the one in
        O(login_file).
      - That alone is no change. A service that is not updated keeps what it was given.
    type: bool
    default: false
  command:
    description: Command in place of the image's entrypoint, a list or a text that is split as a shell does.
    type: raw
  args:
    description: Arguments in place of those of the image, a list or a text that is split as a shell does.
    type: raw
  env_files:
    description: Paths on the host of files with lines C(NAME=VALUE). O(env) has precedence.
    type: list
    elements: path
  labels:
    description: Labels of the service.
    type: dict
  container_labels:
    description: Labels of the containers.
    type: dict
  stop_grace_period:
    description: Time between O(stop_signal) and a kill, V(10s) by default.
    type: str
  no_new_privileges:
    description: Whether no process gains privileges by set-user-ID files. Needs API 1.46.
    type: bool
  seccomp:
    description: Filter of system calls. Needs API 1.46.
    type: dict
    suboptions:
      mode:
        description: What kind of filter. V(custom) is what O(seccomp.profile) is for.
        type: str
        choices: [custom, default, unconfined]
      profile:
        description: A filter in Docker's format.
        type: str
  apparmor:
    description: AppArmor's profile, V(default) or V(disabled). Needs API 1.46.
    type: str
  selinux:
    description: SELinux label of the containers.
    type: dict
    suboptions:
      disable:
        description: Whether there is none.
        type: bool
      user:
        description: Its user.
        type: str
      role:
        description: Its role.
        type: str
      type:
        description: Its type.
        type: str
      level:
        description: Its level.
        type: str
  credential_spec:
    description: Credentials of a managed service account, on Windows.
    type: dict
    suboptions:
      config:
        description: ID of a config that has them.
        type: str
      file:
        description: File that has them.
        type: str
      registry:
        description: Value in the host's registry that has them.
        type: str
  secrets:
    description:
      - Secrets, a name each, or a dictionary with C(source), and as needed C(target), C(uid), C(gid) and C(mode), an
        octal number in quotes.
      - A name that M(davit.fleet.secret) declares stands for its newest version. The file is called by the name, in
        C(/run/secrets), or as C(target) says.
    type: list
    elements: raw
  configs:
    description: Configs, as in O(secrets). The file is in the root directory if C(target) is not an absolute path.
    type: list
    elements: raw
  networks:
    description: Networks, a name each, or a dictionary with C(name), and as needed C(aliases) and C(driver_opts).
    type: list
    elements: raw
  published_ports:
    description: Published ports.
    type: list
    elements: dict
    suboptions:
      target_port:
        description: Port in the containers.
        type: int
        required: true
      published_port:
        description: Port on the nodes. By default the swarm, or in mode V(host) each node, chooses one.
        type: int
      protocol:
        description: Its protocol.
        type: str
        choices: [sctp, tcp, udp]
        default: tcp
      mode:
        description:
          - Whether every node listens and passes on (V(ingress)), or each one on which a task runs, for that one
            (V(host)). Nodes with davit do the latter only.
        type: str
        choices: [host, ingress]
        default: ingress
  endpoint_mode:
    description: Whether its name stands for one virtual address (V(vip)) or for those of all tasks. V(vip) by default.
    type: str
    choices: [dnsrr, vip]
  mode:
    description:
      - Whether O(replicas) tasks run, or one on each node; as a job, whether they are to end once.
      - A swarm cannot change it; see O(recreate). V(replicated) by default. Jobs need API 1.41.
    type: str
    choices: [global, global-job, replicated, replicated-job]
  replicas:
    description: How many tasks are to run, or with V(replicated-job), to end well. 1 by default.
    type: int
  max_concurrent:
    description: How many tasks of a V(replicated-job) run at the same time. By default as many as O(replicas).
    type: int
  constraints:
    description: What a node needs to get tasks, V(node.labels.disk == nvme).
    type: list
    elements: str
  preferences:
    description: Labels of nodes over whose values tasks are spread evenly, V(node.labels.zone).
    type: list
    elements: str
  max_replicas_per_node:
    description: How many tasks a node gets at most. Needs API 1.40.
    type: int
  limits:
    description: Limits of each task.
    type: dict
    suboptions:
      cpus:
        description: Number of CPUs, V(1.5).
        type: float
      memory:
        description: Memory, V(512M).
        type: str
      pids:
        description: Number of processes. Needs API 1.41.
        type: int
  reservations:
    description: What a node needs to have left for each task.
    type: dict
    suboptions:
      cpus:
        description: Number of CPUs, V(0.5).
        type: float
      memory:
        description: Memory, V(128M).
        type: str
      generic:
        description: Resources that nodes announce, by kind a number or a list of names.
        type: dict
  restart_config:
    description: What becomes of tasks that have ended. What is not given has its default.
    type: dict
    suboptions:
      condition:
        description: When another one is run. V(any) by default.
        type: str
        choices: [any, none, on-failure]
      delay:
        description: Time before that. V(5s) by default.
        type: str
      max_attempts:
        description: How often, 0 for no end, which is the default.
        type: int
      window:
        description: Time in which O(restart_config.max_attempts) are counted. By default all the time.
        type: str
  update_config:
    description: How tasks are replaced in an update. What is not given has its default.
    type: dict
    suboptions:
      parallelism:
        description: How many at the same time, 0 for all. 1 by default.
        type: int
      delay:
        description: Time between them. None by default.
        type: str
      failure_action:
        description: What the manager does when tasks fail. V(pause) by default.
        type: str
        choices: [continue, pause, rollback]
      monitor:
        description: Time for which each task is watched. V(5s) by default.
        type: str
      max_failure_ratio:
        description: Share of the tasks that may fail. None by default.
        type: float
      order:
        description: Whether the new task starts before the old one stops. V(stop-first) by default.
        type: str
        choices: [start-first, stop-first]
  rollback_config:
    description: How tasks are replaced in a rollback. What is not given has its default.
    type: dict
    suboptions:
      parallelism:
        description: How many at the same time, 0 for all. 1 by default.
        type: int
      delay:
        description: Time between them. None by default.
        type: str
      failure_action:
        description: What the manager does when tasks fail. V(pause) by default.
        type: str
        choices: [continue, pause]
      monitor:
        description: Time for which each task is watched. V(5s) by default.
        type: str
      max_failure_ratio:
        description: Share of the tasks that may fail. None by default.
        type: float
      order:
        description: Whether the new task starts before the old one stops. V(stop-first) by default.
        type: str
        choices: [start-first, stop-first]
  rollback:
    description:
      - Whether to take the service back to what it was before its last update. Not together with what declares it.
      - A service whose last step was a rollback is left alone.
    type: bool
    default: false
  force:
    description: Whether to replace all tasks, or to run a job again, although nothing differs.
    type: bool
    default: false
  recreate:
    description: Whether the service may be removed and made anew, where O(mode) has another value.
    type: bool
    default: false
  wait:
    description:
      - Whether to wait until the tasks run and the manager has watched them for C(monitor) of O(update_config), until a job
        has ended, or with O(state=absent) until nothing runs any more.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait.
    type: int
    default: 300
  resume:
    description: What was begun already. Set by the module's action plugin, which shows how far it is, not by you.
    type: str
"""

EXAMPLES = r"""
- name: Run the shop, three times
  davit.fleet.service:
    name: web
    image: registry.example.org/shop:1.4
    with_registry_auth: true
    replicas: 3
    constraints: [node.labels.disk == nvme]
    preferences: [node.labels.zone]
    published_ports:
      - {target_port: 80, published_port: 8080, mode: host}
    limits: {cpus: 0.5, memory: 256M}
    update_config: {parallelism: 2, order: start-first, failure_action: rollback}

- name: Keep the database's password
  davit.fleet.secret:
    name: db_password
    data: "{{ vault_db_password }}"

- name: Run the database with it
  davit.fleet.service:
    name: db
    image: postgres:16
    secrets:
      - {source: db_password, target: password, uid: "999", mode: "0400"}
    env:
      POSTGRES_PASSWORD_FILE: /run/secrets/password

- name: Add to the shop
  davit.fleet.service:
    name: web
    replicas: 5

- name: Take its last update back
  davit.fleet.service:
    name: web
    rollback: true
"""

RETURN = r"""
service:
  description: The service as it is now; null when there is none.
  returned: success, and when its tasks do not come up
  type: dict
  sample: {"id": "ojpvuydu53qi", "name": "web", "image": "shop:1.4@sha256:4f5c", "mode": "replicated", "replicas": 3,
    "update": "completed", "ports": [{"target_port": 80, "published_port": 8080, "protocol": "tcp", "mode": "ingress"}]}
failed_tasks:
  description: What went wrong last, without repetitions.
  returned: when its tasks do not come up
  type: list
  elements: dict
  sample: [{"task": "q53jgeeq7y1x", "slot": "2", "state": "rejected", "node": "worker1", "message": "No such image: shop:1.4"}]
actions:
  description: What was done, or in check mode would be done.
  returned: success
  type: list
  elements: dict
  sample: [{"action": "update", "kind": "service", "name": "web"}]
"""

from ansible_collections.davit.fleet.plugins.module_utils import _module
from ansible_collections.davit.fleet.plugins.module_utils._swarm import run
from ansible_collections.davit.fleet.plugins.module_utils._swarm.service import apply, image, plan


def main() -> None:
    module = _module.make(plan.ARGUMENTS)
    options = _module.options(module, plan.ARGUMENTS)
    resumed = options["resume"] not in (None, "begin")
    known = {}

    def decide(engine):
        manager = known["manager"] = run.managed(module, engine)
        if resumed:
            return []
        given = apply.with_env_files(options)
        facts = apply.ask(manager, given, module.check_mode)
        known["found"] = facts.found
        if facts.pinned is not None and facts.pinned.problem:
            module.warn(image.doubt(options["image"], plan.shown_image(facts.found), facts.pinned))
        return plan.plan(given, facts)

    def carry_out(engine, action):
        apply.apply(engine, action, options)

    def tell(engine, actions):
        manager = known["manager"]
        unchanged = not actions and not resumed
        found = known["found"] if unchanged else apply.find(manager, options["name"])
        if found is None or options["state"] == "absent":
            return {"service": None}
        waiting = {}
        if options["wait"] and not module.check_mode:
            purpose = options["resume"] if resumed else apply.awaited(actions)
            piece = apply.SLICE if options["resume"] else 0
            patience = options["wait_timeout"]
            found, words, is_all = apply.wait(manager, found["ID"], purpose, patience, piece)
            if not is_all:
                waiting = {"waiting": {"resume": purpose, "progress": words}}
        return {"service": apply.summary(found), **waiting}

    run.finish(module, decide, carry_out, tell)


if __name__ == "__main__":
    main()
