"""Roles and their documentation agree with each other and with davitd."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from davit.flags import OPTIONS

ROLES = Path(__file__).resolve().parents[3] / "roles"

# davitd has these options, but the role decides them.
DECIDED = {"group", "pidfile", "default-runtime", "conmon", "init-path"}


def read(role: str, path: str) -> Any:
    return yaml.safe_load((ROLES / role / path).read_text())


def options(role: str) -> dict[str, Any]:
    return read(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"]


@pytest.mark.parametrize("role", sorted(path.name for path in ROLES.iterdir()))
def test_every_default_is_documented_and_as_documented(role):
    defaults = read(role, "defaults/main.yml")
    documented = options(role)
    assert set(defaults) == set(documented)
    for name, option in documented.items():
        if "default" in option:
            assert defaults[name] == option["default"], name


@pytest.mark.parametrize("role", sorted(path.name for path in ROLES.iterdir()))
def test_the_defaults_are_accepted(role):
    result = ArgumentSpecValidator(options(role)).validate(read(role, "defaults/main.yml"))
    assert not [text for text in result.error_messages if "{{" not in text]


@pytest.mark.parametrize("role", sorted(path.name for path in ROLES.iterdir()))
def test_every_role_has_a_readme(role):
    assert (ROLES / role / "README.md").is_file()


def test_the_engine_role_takes_what_davitd_takes():
    taken = set(options("engine")["davit_engine_config"]["options"])
    assert taken == {option.names[0] for option in OPTIONS} - DECIDED
