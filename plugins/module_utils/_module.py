# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""What all modules of the collection share: common options, running a workload, the result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.davit.fleet.plugins.module_utils._client import AbsentEngine, Engine
from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError, Invalid
from ansible_collections.davit.fleet.plugins.module_utils._http import (
    Target,
    default_host,
    environment_file,
    environment_tls,
    is_absent,
)
from ansible_collections.davit.fleet.plugins.module_utils._plan import Action, diff
from ansible_collections.davit.fleet.plugins.module_utils._workload import Partial, Workload

COMMON: dict[str, dict[str, Any]] = {
    "engine_host": {"type": "str", "aliases": ["docker_host"]},
    "timeout": {"type": "int", "default": 60},
    "tls": {"type": "bool"},
    "tls_ca": {"type": "path"},
    "tls_certificate": {"type": "path"},
    "tls_key": {"type": "path"},
    "tls_verify": {"type": "bool", "default": True},
    "tls_hostname": {"type": "str"},
}


def make(arguments: dict[str, dict[str, Any]], **rules: Any) -> AnsibleModule:
    """rules: what AnsibleModule checks of the options' combinations."""
    spec = {**arguments, **COMMON}
    # Environments and passwords in lists of objects are nothing for the host's log.
    return AnsibleModule(argument_spec=spec, supports_check_mode=True, no_log=True, **rules)


def engine(module: AnsibleModule) -> Engine:
    return _connect(module, _target(module))


def connect(module: AnsibleModule) -> Engine:
    """The engine to act on; in check mode perhaps one that is yet to come."""
    return _facts(module) if module.check_mode else engine(module)


def _connect(module: AnsibleModule, target: Target) -> Engine:
    try:
        return Engine(target)
    except FleetError as error:
        module.fail_json(msg=str(error))
        raise  # fail_json does not return.


def options(module: AnsibleModule, arguments: dict[str, Any]) -> dict[str, Any]:
    """The parameters of one object, without the common ones."""
    return {name: module.params[name] for name in arguments}


def validate(
    module: AnsibleModule,
    path: str,
    arguments: dict[str, dict[str, Any]],
    given: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Check a list of objects whose options are another module's. Raises Invalid.

    What is secret in them does not show in what the module returns.
    """
    validator = ArgumentSpecValidator(arguments)
    checked = []
    for index, item in enumerate(given):
        result = validator.validate(item)
        module.no_log_values.update(result._no_log_values)
        if result.error_messages:
            raise Invalid(f"{path}[{index}]: {'; '.join(result.error_messages)}")
        checked.append({name: result.validated_parameters.get(name) for name in arguments})
    return checked


def run(
    module: AnsibleModule,
    declare: Callable[[], dict[str, list[dict[str, Any]]]],
    owner: str = "",
    **prune: bool,
) -> None:
    """Plan, and apply unless in check mode; ends the module."""
    actions: list[Action] = []
    connection = connect(module)
    try:
        declared = declare()
        work = Workload(connection, declared, owner)
        actions = work.plan(**prune)
        if module.check_mode:
            changed = bool(actions)
        elif images := _missing(actions):
            # The action plugin sends these and runs the module again.
            module.exit_json(changed=False, images_needed=images)
        else:
            changed = False
            pulls = [action for action in actions if action.verb == "pull"]
            if pulls:
                changed = work.apply(pulls)
                # Only now it shows which images these are, and so what follows from them.
                work = Workload(connection, declared, owner)
                actions = [action for action in work.plan(**prune) if action.verb != "pull"]
            changed = work.apply(actions) or changed
            actions = pulls + actions
        result: dict[str, Any] = {
            "changed": changed,
            "actions": [action.summary() for action in actions],
            "containers": work.containers([] if module.check_mode else actions),
        }
        if module._diff:
            result["diff"] = diff(actions)
    except Partial as error:
        module.fail_json(
            msg=str(error),
            changed=bool(error.done),
            actions=[action.summary() for action in error.done],
            remaining=[action.summary() for action in error.remaining],
        )
    except FleetError as error:
        module.fail_json(msg=str(error))
    finally:
        connection.close()
    module.exit_json(**result)


def act(
    module: AnsibleModule,
    plan: Callable[[Engine], list[Action]],
    apply: Callable[[Engine, Action], dict[str, Any]],
    facts: dict[str, Any],
) -> None:
    """Plan one act, and carry it out unless in check mode; ends the module.

    apply: returns what is to be in the result. facts: what is in it anyway.
    """
    connection = connect(module)
    try:
        actions = plan(connection)
        result: dict[str, Any] = {
            "changed": bool(actions),
            "actions": [action.summary() for action in actions],
        }
        result.update(facts)
        for action in [] if module.check_mode else actions:
            result.update(apply(connection, action))
        if module._diff:
            result["diff"] = diff(actions)
    except FleetError as error:
        module.fail_json(msg=str(error))
    finally:
        connection.close()
    module.exit_json(**result)


def _facts(module: AnsibleModule) -> Engine:
    """The engine to plan on. An earlier task of the same play may be what brings it."""
    target = _target(module)
    if not is_absent(target.host):
        return _connect(module, target)
    module.warn(
        f"{target.host} is not there: this plan is for a host whose engine is yet to be installed; "
        "without it, the real run fails"
    )
    return AbsentEngine(target)


def _target(module: AnsibleModule) -> Target:
    parameters = module.params
    tls = environment_tls() if parameters["tls"] is None else parameters["tls"]

    def file(option: str, name: str) -> str:
        return parameters[option] or (environment_file(name) if tls else "")

    return Target(
        host=parameters["engine_host"] or default_host(),
        timeout=parameters["timeout"],
        tls=tls,
        ca=file("tls_ca", "ca.pem"),
        certificate=file("tls_certificate", "cert.pem"),
        key=file("tls_key", "key.pem"),
        verify=parameters["tls_verify"],
        hostname=parameters["tls_hostname"] or "",
    )


def _missing(actions: list[Action]) -> list[dict[str, Any]]:
    """Images that are to be loaded and are still on the controller, with the layers to send."""
    return [
        {"name": action.name, "layers": action.data["lacking"]}
        for action in actions
        if action.verb == "load" and not action.data["parts"]
    ]
