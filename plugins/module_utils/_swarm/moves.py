# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""From the swarms that are to the swarms that are to be: the plan, in the safe order.

A swarm grows before it shrinks, and loses its dead before it grows. Each change of its managers is
a wave of its own, and is held against the quorum that the steps before it leave.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.davit.fleet.plugins.module_utils._swarm import (
    cluster,
    departures,
    membership,
    refusals,
)
from ansible_collections.davit.fleet.plugins.module_utils._swarm.membership import (
    Host,
    Live,
    is_manager,
)
from ansible_collections.davit.fleet.plugins.module_utils._swarm.options import (
    ARGUMENTS,
    SETTING_NAMES,
)
from ansible_collections.davit.fleet.plugins.module_utils._swarm.steps import Plan, Step
from ansible_collections.davit.fleet.plugins.module_utils._swarm.topology import (
    HOST_MARK,
    SWARM_MARK,
    Swarm,
    Wishes,
)


def plan(swarms: list[Swarm], hosts: dict[str, Host], wishes: Wishes) -> Plan:
    """hosts: all that are declared, and those of the play. Raises FleetError."""
    return _Planner(swarms, hosts, wishes).plan()


class _Planner:
    def __init__(self, swarms: list[Swarm], hosts: dict[str, Host], wishes: Wishes) -> None:
        self.swarms = [swarm for swarm in swarms if swarm.present]
        self.ending = [swarm for swarm in swarms if not swarm.present]
        self.hosts = hosts
        self.wishes = wishes
        self.done = Plan()
        self.found = membership.running(hosts, wishes.take_over)
        self.live: dict[str, Live] = {}  # by the declared swarm's name
        self.free = {host.name for host in hosts.values() if host.facts and _is_free(host)}

    def plan(self) -> Plan:
        everybody = [*self.swarms, *self.ending]
        self.done.silent = refusals.check_answers(everybody, self.hosts, self.wishes.dead)
        if self._unlock() or self._recover():
            self.done.notes.append("what else is to be done, only shows after that")
            self.done.again = True
            return self.done
        for swarm in everybody:
            live = membership.match(swarm, self.found, self.hosts)
            if live:
                refusals.check_single(swarm, live)
                live.name = swarm.name
                self.live[swarm.name] = live
        for swarm in self.swarms:
            refusals.check_engines(swarm, self.hosts)
            refusals.check_membership(swarm, self.live.get(swarm.name), self.hosts)
        given_up = (*self.wishes.take_over, *self._left_behind())
        lost = refusals.strangers(everybody, self.hosts, self.found, given_up)
        for live in self.live.values():
            departures.bury(self.done, live, self.hosts, self.wishes.dead, lost)
        departures.give_up(self.done, lost, self.hosts, self.found)
        self.free.update(lost)
        for swarm in self.swarms:
            self._settings(swarm)
        for swarm in self.swarms:
            self._grow(swarm)
        for swarm in self.swarms:
            self._nodes(swarm)
        for swarm in everybody:
            self._shrink(swarm)
        for swarm in self.swarms:
            self._grow(swarm)
            self._check_grown(swarm)
            self._nodes(swarm)
            self._rotate(swarm)
        self._tell()
        self.done.again = any(step.later for wave in self.done.waves for step in wave)
        return self.done

    def _unlock(self) -> bool:
        """What a locked manager is, it tells only when it is unlocked."""
        steps = []
        for swarm in (*self.swarms, *self.ending):
            locked = [name for name in swarm.managers if self.hosts[name].state == "locked"]
            live = membership.match(swarm, self.found, self.hosts)
            sources = [name for name in swarm.managers if live and live.find(name)]
            for name in locked:
                if not sources and swarm.name not in self.wishes.keys:
                    raise FleetError(
                        f"swarm {swarm.name}: {name} is locked, and no other manager can tell the "
                        "key: give it in davit_swarm_unlock_keys"
                    )
                steps.append(
                    Step(
                        *(swarm.name, "unlock", name, name, "swarm", {}),
                        before={"state": "locked"},
                        after={"state": "active"},
                        secret="unlock",
                        source=sources[0] if sources else "",
                    )
                )
        self.done.add(*steps)
        return bool(steps)

    def _recover(self) -> bool:
        """A swarm that cannot decide does not tell its nodes either."""
        steps = []
        refusals.check_recovery(self.swarms, self.wishes.recover)
        for swarm in self.swarms:
            if membership.match(swarm, self.found, self.hosts):
                continue
            name = refusals.survivor(swarm, self.hosts, self.wishes.recover)
            if name:
                options = {"force_new_cluster": True, **self._local(name)}
                if swarm.settings.get("autolock") is not None:
                    options["autolock"] = swarm.settings["autolock"]
                known = sorted(self.hosts[name].manager_addresses)
                steps.append(
                    Step(
                        *(swarm.name, "recover", name, name, "swarm", options),
                        before={"managers": known},
                        after={"managers": [self.hosts[name].node.get("address") or name]},
                        reason="davit_swarm_recover names it",
                    )
                )
        self.done.add(*steps)
        return bool(steps)

    def _left_behind(self) -> list[str]:
        """Former managers of a swarm that was begun anew without them, as somebody has wished."""
        return [
            name
            for swarm in self.swarms
            for name in swarm.hosts
            if self.hosts[name].leaderless and set(swarm.managers) & set(self.wishes.recover)
        ]

    def _asker(self, swarm: Swarm) -> str:
        """The manager whose engine is asked for a swarm's changes: one that stays, if it can be."""
        live = self.live[swarm.name]
        ours = {live.hosts.get(node["ID"], "") for node in live.nodes if is_manager(node)}
        new = [name for name in swarm.managers if name in ours and live.is_new(name)]
        old = {name for name in ours - set(new) if name and self.hosts[name].cluster}
        staying = [name for name in swarm.managers if name in old]
        for name in (*staying, *new, *sorted(old)):
            return name
        raise FleetError(f"swarm {swarm.name}: none of its managers answers")

    def _settings(self, swarm: Swarm) -> None:
        live = self.live.get(swarm.name)
        if live is None:
            return
        options = self._options(swarm, live.cluster["Spec"].get("Labels") or {})
        asked = self._asker(swarm)
        manager = {"LocalNodeState": "active", "ControlAvailable": True}
        facts = cluster.Facts(manager, live.cluster, live.nodes)
        try:
            actions = cluster.plan({**_blank(), **options}, facts)
        except FleetError as error:
            raise FleetError(f"swarm {swarm.name}: {error}") from None
        given = {key: value for key, value in options.items() if key in SETTING_NAMES}
        self.done.add(
            *(
                Step(
                    *(swarm.name, "change", "its settings", asked, "swarm", given),
                    before=action.before,
                    after=action.after,
                )
                for action in actions
            )
        )

    def _options(self, swarm: Swarm, shown: dict[str, str]) -> dict[str, Any]:
        labels = swarm.settings.get("labels", shown)
        return {**swarm.settings, "labels": {**labels, SWARM_MARK: swarm.name}}

    def _grow(self, swarm: Swarm) -> None:
        """Promote workers, and take in hosts that are free."""
        joining = [name for name in swarm.managers if name in self.free]
        if swarm.name not in self.live and joining:
            self._begin(swarm, joining.pop(0))
        live = self.live.get(swarm.name)
        if live is None:
            return
        for name in swarm.managers:
            node = live.find(name)
            if node and not is_manager(node):
                live.check_growth(f"swarm {swarm.name}: {name} cannot be promoted")
                step = self._node_step(swarm, node, name, "promote", {"role": "manager"})
                self.done.add(step)
                live.promote(node)
        for name in joining:
            live.check_growth(f"swarm {swarm.name}: {name} cannot join as a manager")
            self.done.add(self._join(swarm, name, "manager"))
        self.done.add(
            *(self._join(swarm, name, "worker") for name in swarm.workers if name in self.free)
        )

    def _begin(self, swarm: Swarm, name: str) -> None:
        options = {**self._options(swarm, {}), **self._local(name)}
        step = Step(
            *(swarm.name, "begin", name, name, "swarm", options),
            before={"state": "absent"},
            after={"state": "present", **options},
        )
        self.done.add(step)
        self.live[swarm.name] = Live(swarm.name, {"Spec": {}}, [])
        self._added(swarm, name, "manager")

    def _join(self, swarm: Swarm, name: str, role: str) -> Step:
        options = self._local(name)
        step = Step(
            *(swarm.name, "join", name, name, "swarm", options),
            before={"state": "absent"},
            after={"state": "present", "role": role, **options},
            secret=role,
            source=self._asker(swarm),
        )
        self._added(swarm, name, role)
        return step

    def _added(self, swarm: Swarm, name: str, role: str) -> None:
        availability = self.hosts[name].local.get("availability") or "active"
        self.live[swarm.name].add(name, role, availability)
        self.free.discard(name)

    def _local(self, name: str) -> dict[str, Any]:
        local = self.hosts[name].local
        keys = ("advertise_addr", "data_path_addr", "listen_addr", "availability")
        return {key: local[key] for key in keys if local.get(key) is not None}

    def _node_step(
        self, swarm: Swarm, node: dict[str, Any], name: str, verb: str, options: dict[str, Any]
    ) -> Step:
        spec = node["Spec"]
        shown = {"role": spec["Role"], "availability": spec["Availability"]}
        before = {key: shown.get(key, spec.get("Labels") or {}) for key in options}
        return Step(
            *(swarm.name, verb, name, self._asker(swarm), "node"),
            options={"name": node["ID"], **options},
            before={key: value for key, value in before.items() if key != "labels_mode"},
            after={key: value for key, value in options.items() if key != "labels_mode"},
        )

    def _nodes(self, swarm: Swarm) -> None:
        """Labels and availability of those that stay."""
        live = self.live.get(swarm.name)
        steps = []
        for name in swarm.hosts if live else ():
            node = live.find(name) if live else None
            if node is None:
                continue
            local, spec = self.hosts[name].local, node["Spec"]
            shown = spec.get("Labels") or {}
            labels = shown if local.get("labels") is None else local["labels"]
            labels = {**{key: str(value) for key, value in labels.items()}, HOST_MARK: name}
            wanted: dict[str, Any] = {}
            if labels != shown:
                wanted.update(labels=labels, labels_mode="replace")
            if local.get("availability") not in (None, spec["Availability"]):
                wanted["availability"] = local["availability"]
            if wanted:
                step = self._node_step(swarm, node, name, "set", wanted)
                steps.append(_later(step) if live and live.is_new(name) else step)
                spec.update(
                    Labels=labels, Availability=wanted.get("availability", spec["Availability"])
                )
        self.done.add(*steps)

    def _shrink(self, swarm: Swarm) -> None:
        live = self.live.get(swarm.name)
        if live is None:
            return
        if not swarm.present:
            left = departures.empty(self.done, live, self.hosts)
            del self.live[swarm.name]
        else:
            asker = self._asker(swarm)
            departures.demote(self.done, live, swarm, asker)
            left = departures.leave(self.done, live, swarm, asker, set(self.hosts))
        self.free.update(left)

    def _check_grown(self, swarm: Swarm) -> None:
        if swarm.name not in self.live:
            raise FleetError(f"swarm {swarm.name}: none of its managers is free to begin it")

    def _rotate(self, swarm: Swarm) -> None:
        if not self.wishes.rotate:
            return
        names = list(self.wishes.rotate)
        self.done.add(
            Step(
                *(swarm.name, "rotate", ", ".join(names), self._asker(swarm), "swarm"),
                options={f"rotate_{name}": True for name in names},
                before=dict.fromkeys(names, "as it was"),
                after=dict.fromkeys(names, "a new one"),
            )
        )

    def _tell(self) -> None:
        for swarm in self.swarms:
            count = len(swarm.managers)
            if count % 2 == 0:
                self.done.notes.append(
                    f"swarm {swarm.name} has {count} managers: it survives no more failures than "
                    f"with {count - 1}"
                )
            for node in self.live[swarm.name].nodes:
                if node["ID"] not in self.live[swarm.name].hosts:
                    self.done.notes.append(
                        f"swarm {swarm.name} has a node of none of these hosts: "
                        f"{membership.title(node)} ({node['ID']}, {membership.state(node)})"
                    )
        self.done.notes.extend(
            f"{name} does not answer, and stays as it is: {self.hosts[name].problem}"
            for name in self.done.silent
        )


def _is_free(host: Host) -> bool:
    return host.state == "inactive"


def _later(step: Step) -> Step:
    return Step(**{**vars(step), "later": True})


def _blank() -> dict[str, Any]:
    """Options of the module ``swarm``, none of them given."""
    return {name: spec.get("default") for name, spec in ARGUMENTS.items()}
