# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Facts → plan → apply for everything that a task declares, in one run on the host."""

from __future__ import annotations

from typing import Any, Dict, List

from ansible_collections.davit.fleet.plugins.module_utils import (
    _image_plan,
    _network_plan,
    _ownership,
    _volume_plan,
)
from ansible_collections.davit.fleet.plugins.module_utils._archive import normal
from ansible_collections.davit.fleet.plugins.module_utils._client import Engine
from ansible_collections.davit.fleet.plugins.module_utils._container import apply as container
from ansible_collections.davit.fleet.plugins.module_utils._container import support
from ansible_collections.davit.fleet.plugins.module_utils._container.plan import ASIDE, references
from ansible_collections.davit.fleet.plugins.module_utils._container.plan import (
    plan as plan_container,
)
from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError, Invalid
from ansible_collections.davit.fleet.plugins.module_utils._plan import Action

Declared = Dict[str, List[Dict[str, Any]]]  # kind ("images", …) → list of option dictionaries


class Partial(FleetError):
    """An action failed. done, remaining: what was and was not carried out."""

    def __init__(self, error: FleetError, done: list[Action], remaining: list[Action]) -> None:
        super().__init__(str(error))
        self.done = done
        self.remaining = remaining


class Workload:
    """declared: what the task names. owner: the project, empty for a module of one object."""

    def __init__(self, engine: Engine, declared: Declared, owner: str = "") -> None:
        self._engine = engine
        self._declared = declared
        self._owner = owner
        self._images: dict[str, dict[str, Any] | None] = {}
        self._containers: dict[str, dict[str, Any] | None] = {}
        self._chains: set[str] | None = None
        # Names of the containers that are made or made anew.
        self._renewed: set[str] = set()

    def plan(self, *, prune: bool = False, keep_volumes: bool = False) -> list[Action]:
        """Return all actions in the order of dependency. Raises FleetError."""
        leaving: list[Action] = []
        actions: list[Action] = []
        for kind, plan in (
            ("images", self._image),
            ("networks", self._network),
            ("volumes", self._volume),
            ("containers", self._container),
        ):
            if prune and kind == "containers":
                # First, for they may hold ports and names that others are to have.
                actions += self._prune_containers()
            names: set[str] = set()
            for index, options in enumerate(self._declared.get(kind) or []):
                if options["name"] in names:
                    raise Invalid(f"{kind}[{index}].name: {options['name']} is declared twice")
                names.add(options["name"])
                try:
                    planned = plan(options)
                except Invalid as error:
                    raise Invalid(self._path(kind, index, str(error))) from None
                # What a container uses can only go after the container has gone.
                late = options["state"] == "absent" and kind != "containers"
                (leaving if late else actions).extend(planned)
        actions += reversed(leaving)
        return actions + (self._prune_rest(keep_volumes) if prune else [])

    def apply(self, actions: list[Action]) -> bool:
        """Carry the actions out; return whether anything changed. Raises Partial."""
        changed = False
        for number, action in enumerate(actions):
            try:
                changed = self._act(action) or changed
            except FleetError as error:
                failure = FleetError(f"{action.kind} {action.name}: {error}")
                raise Partial(failure, actions[:number], actions[number:]) from error
        return changed

    def containers(self, actions: list[Action]) -> list[dict[str, Any]]:
        """Tell what has become of the declared containers."""
        touched = {action.name for action in actions if action.kind == "container"}
        result = []
        for options in self._declared.get("containers") or []:
            name = options["name"]
            found = (
                self._named("container", name) if name in touched else self._containers.get(name)
            )
            result.append(_summary(name, found))
        return result

    def _path(self, kind: str, index: int, text: str) -> str:
        return f"{kind}[{index}].{text}" if self._owner else text

    def _image(self, options: dict[str, Any]) -> list[Action]:
        found = self._find_image(options["name"])
        ids = _image_plan.identity(options)
        present = None
        if ids and (found is None or found["Id"] not in ids):
            present = next(
                (item for item in ids if self._engine.find("images", item, "json")), None
            )
        lacking = self._lacking(options) if ids and present is None else None
        latest = None
        if _image_plan.asks(options, found):
            latest = _image_plan.latest(self._engine, options)
        actions = _image_plan.plan(options, found, ids, present, lacking, latest)
        if any(action.verb in ("load", "tag") for action in actions):
            # The image as it will be, for the containers that are planned after it.
            self._images[normal(options["name"])] = {"Id": present or ids[0], "Config": {}}
        elif found is None and any(action.verb == "pull" for action in actions):
            # Which image it is shows when it has been pulled; the plan is made again then.
            self._images[normal(options["name"])] = {"Id": "", "Config": {}}
        return actions

    def _lacking(self, options: dict[str, Any]) -> list[str] | None:
        """Which layers of an archive on the controller the host needs, None for all of it."""
        layers = options["archive_layers"]
        if not layers or self._engine.keeps_archives_whole():
            return None
        if self._chains is None:
            images = self._engine.get("images", "json")
            found = [self._engine.find("images", image["Id"], "json") or {} for image in images]
            self._chains = {
                chain
                for image in found
                for chain in _image_plan.chain_ids((image.get("RootFS") or {}).get("Layers") or [])
            }
        lacking = _image_plan.lacking(layers, self._chains)
        # The next image finds them there.
        self._chains.update(_image_plan.chain_ids(layers))
        return lacking

    def _network(self, options: dict[str, Any]) -> list[Action]:
        found = self._named("network", options["name"])
        return _network_plan.plan(options, found, self._owner)

    def _volume(self, options: dict[str, Any]) -> list[Action]:
        found = self._named("volume", options["name"])

        def users() -> list[str]:
            filters = {"volume": [options["name"]]}
            using = self._engine.get("containers", "json", all=True, filters=filters)
            return sorted(item["Names"][0].lstrip("/") for item in using)

        return _volume_plan.plan(options, found, self._owner, users)

    def _container(self, options: dict[str, Any]) -> list[Action]:
        name = options["name"]
        found = self._named("container", name)
        version = self._engine.api_version
        if options["state"] != "absent" and version != (0, 0):
            support.check(options, version, self._engine.host)
        if found is None and options.get("renamed_from"):
            found = self._named("container", options["renamed_from"])
        aside = None
        if found is None or found["State"]["Status"] == "created":
            aside = self._named("container", name + ASIDE)
        self._containers[name] = found
        image = self._find_image(options["image"]) if options.get("image") else None
        if self._renewed & set(references(options)):
            # It has the namespaces or volumes of a container that will be another one.
            options = {**options, "recreate": True}
        actions = plan_container(options, found, image, self._owner, aside)
        if any(action.verb in ("create", "recreate") for action in actions):
            self._renewed.add(name)
        return actions

    def _find_image(self, name: str) -> dict[str, Any] | None:
        key = normal(name)
        if key not in self._images:
            self._images[key] = _image_plan.find(self._engine, name)
        return self._images[key]

    def _named(self, kind: str, name: str) -> dict[str, Any] | None:
        """Inspect by name. The API finds by the beginning of an ID, too: ``db`` may be anybody."""
        suffix = ["json"] if kind == "container" else []
        found: dict[str, Any] | None = self._engine.find(f"{kind}s", name, *suffix)
        return found if found and found["Name"].lstrip("/") == name else None

    def _prune_containers(self) -> list[Action]:
        """What this project made and no longer declares."""
        declared = self._names("containers")
        declared |= {name + ASIDE for name in declared}
        declared |= {
            str(item.get("renamed_from")) for item in self._declared.get("containers") or []
        }
        actions = []
        for found in self._engine.get("containers", "json", all=True, filters=self._mine()):
            name = found["Names"][0].lstrip("/")
            if name not in declared:
                data = {"id": found["Id"], "volumes": False}
                actions.append(_pruned("container", name, data))
        return actions

    def _prune_rest(self, keep_volumes: bool) -> list[Action]:
        actions = []
        declared = self._names("networks")
        for found in self._engine.get("networks", filters=self._mine()):
            if found["Name"] not in declared:
                actions.append(_pruned("network", found["Name"], {"id": found["Id"]}))
        if keep_volumes:
            return actions
        declared = self._names("volumes")
        for found in self._engine.get("volumes", filters=self._mine())["Volumes"] or []:
            if found["Name"] not in declared:
                actions.append(_pruned("volume", found["Name"], {}))
        return actions

    def _mine(self) -> dict[str, list[str]]:
        return {"label": [f"{_ownership.OWNER}={self._owner}"]}

    def _names(self, kind: str) -> set[str]:
        return {options["name"] for options in self._declared.get(kind) or []}

    def _act(self, action: Action) -> bool:
        if action.kind == "image":
            return _image_plan.apply(self._engine, action)
        if action.kind == "network":
            _network_plan.apply(self._engine, action)
        elif action.kind == "volume":
            _volume_plan.apply(self._engine, action)
        else:
            container.apply(self._engine, action)
        return True


def _pruned(kind: str, name: str, data: dict[str, Any]) -> Action:
    return Action(
        kind, "remove", name, "no longer declared", {"state": "present"}, {"state": "absent"}, data
    )


def _summary(name: str, found: dict[str, Any] | None) -> dict[str, Any]:
    if found is None:
        return {"name": name, "state": "absent"}
    network = found["NetworkSettings"]
    return {
        "name": name,
        "id": found["Id"],
        "state": found["State"]["Status"],
        "image": found["Config"]["Image"],
        "addresses": {
            key: endpoint.get("IPAddress", "")
            for key, endpoint in (network.get("Networks") or {}).items()
        },
        "ports": {
            port: [f"{side['HostIp']}:{side['HostPort']}" for side in sides]
            for port, sides in (network.get("Ports") or {}).items()
            if sides
        },
    }
