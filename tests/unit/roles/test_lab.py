"""What the lab asks its engine for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.davit.fleet.plugins.module_utils import _image_plan, _module

TASKS = Path(__file__).resolve().parents[3] / "roles/lab/tasks/hosts.yml"
MADE = {"davit_lab_made_image": "davit-lab:made", "davit_lab_archive": "/cache/made.tar"}


class NoModule:
    """What checking a list of objects needs of a module."""

    def __init__(self) -> None:
        self.no_log_values: set[str] = set()


def wanted_image(image: str) -> dict[str, Any]:
    loader = DataLoader()
    task = loader.load_from_file(str(TASKS), trusted_as_template=True)[0]
    variables = {**MADE, "davit_lab_image": image}
    written = task["vars"]["davit_lab_wanted_image"]
    templated = Templar(loader, variables=variables).template(written)
    (options,) = _module.validate(NoModule(), "images", _image_plan.ARGUMENTS, [templated])
    return options


def test_image_of_a_registry_is_pulled():
    options = wanted_image("127.0.0.1:5000/lab:1")
    assert _image_plan.identity(options) == []
    (action,) = _image_plan.plan(options, None, [])
    assert (action.verb, action.name) == ("pull", "127.0.0.1:5000/lab:1")


def test_made_image_is_loaded():
    options = wanted_image("")
    assert (options["source"], options["archive"]) == ("host", "/cache/made.tar")
    (action,) = _image_plan.plan(options, None, ["sha256:1"])
    assert (action.verb, action.name) == ("load", "davit-lab:made")
