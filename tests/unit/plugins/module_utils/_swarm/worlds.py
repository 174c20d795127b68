"""Hosts and their swarms, as values."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.davit.fleet.plugins.module_utils._swarm import moves, topology
from ansible_collections.davit.fleet.plugins.module_utils._swarm.membership import Host
from ansible_collections.davit.fleet.plugins.module_utils._swarm.steps import Plan


class World:
    """Hosts, and the swarms that they are in; what ``swarm_info`` tells of them."""

    def __init__(self, *names: str, **local: dict[str, Any]) -> None:
        self.local = local
        self.facts: dict[str, Any] = {name: facts("inactive") for name in names}
        self.swarms: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {}

    def swarm(self, name: str, managers: list[str], workers: list[str], marked: bool = True) -> Any:
        """Returns its nodes, by the host's name."""
        labels = {topology.SWARM_MARK: name} if marked else {}
        cluster = {"ID": f"id-{name}", "Spec": {"Labels": labels}}
        nodes = {
            host: _node(name, host, "manager" if host in managers else "worker", marked)
            for host in (*managers, *workers)
        }
        nodes[managers[0]]["ManagerStatus"]["Leader"] = True
        known = [{"address": f"{host}.lan:2377"} for host in managers]
        for host in nodes:
            role = "manager" if host in managers else "worker"
            told = facts("active", role=role, id=f"{name}-{host}", managers=known)
            if role == "manager":
                told.update(cluster=cluster, nodes=list(nodes.values()))
            self.facts[host] = told
        return nodes

    def die(self, host: str, node: dict[str, Any] | None = None) -> None:
        self.facts[host] = None
        if node:
            node["Status"]["State"] = "down"
            if "ManagerStatus" in node:
                node["ManagerStatus"]["Reachability"] = "unreachable"

    def plan(self, *swarms: dict[str, Any], **wishes: Any) -> Plan:
        hosts = {
            name: Host(name, facts, "no route", self.local.get(name, {}))
            for name, facts in self.facts.items()
        }
        declared = topology.declared(list(swarms), set(hosts))
        given = {key: tuple(value) for key, value in wishes.items()}
        return moves.plan(declared, hosts, topology.Wishes(**given))

    def steps(self, *swarms: dict[str, Any], **wishes: Any) -> list[str]:
        """Waves as text: ``verb host`` each, with ``@manager`` where another carries it out."""
        return [
            ", ".join(
                f"{step.verb} {step.host}" + (f" @{step.on}" if step.on != step.host else "")
                for step in wave
            )
            for wave in self.plan(*swarms, **wishes).waves
        ]

    def refusal(self, *swarms: dict[str, Any], **wishes: Any) -> str:
        with pytest.raises(FleetError) as refused:
            self.plan(*swarms, **wishes)
        return str(refused.value)


def facts(state: str, **node: Any) -> dict[str, Any]:
    told = {"state": state, "role": "none", "id": "", "error": "", "managers": [], **node}
    return {"node": told, "cluster": None, "nodes": []}


def _node(swarm: str, host: str, role: str, marked: bool) -> dict[str, Any]:
    labels = {topology.HOST_MARK: host} if marked else {}
    node: dict[str, Any] = {
        "ID": f"{swarm}-{host}",
        "Spec": {"Role": role, "Availability": "active", "Labels": labels},
        "Status": {"State": "ready", "Addr": f"{host}.lan"},
        "Description": {"Hostname": host},
    }
    if role == "manager":
        node["ManagerStatus"] = {"Reachability": "reachable", "Addr": f"{host}.lan:2377"}
    return node


def shop(managers: list[str], workers: list[str] | None = None, **more: Any) -> dict[str, Any]:
    return {"name": "shop", "managers": managers, "workers": workers or [], **more}
