"""Containers and facts in, OCI configuration out. The cases are data: ``tests/engine/cases/spec``.

``expect`` maps a dotted path to a value, null for what must not be there. ``mounts[/dev]`` is the
mount with that destination, ``destinations`` those of all mounts in their order.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from davit.errors import DavitError
from davit.model.config import ContainerConfig, HostConfig
from davit.model.container import Container
from davit.model.host import HostFacts
from davit.model.volume import MountPoint
from davit.spec import build
from davit.spec.capabilities import ALL
from davit.spec.facts import SpecFacts

CASES = {
    f"{path.stem}: {name}": case
    for path in sorted((Path(__file__).parents[1] / "cases/spec").glob("*.json"))
    for name, case in json.loads(path.read_text()).items()
}
# Everything but CAP_SYS_RESOURCE: limits cannot be raised, unless a case says otherwise.
CAPABILITIES = [name for name in ALL if name != "CAP_SYS_RESOURCE"]


def container(case: dict[str, Any]) -> Container:
    return Container(
        id="x",
        name="name",
        created=1,
        image_id="sha256:0",
        path=case.get("path", "/bin/true"),
        args=case.get("args", []),
        config=msgspec.convert(case.get("config", {}), ContainerConfig),
        host_config=msgspec.convert(case.get("host_config", {}), HostConfig),
        mounts=msgspec.convert(case.get("mounts", []), list[MountPoint]),
    )


def facts(case: dict[str, Any]) -> SpecFacts:
    host = {"capabilities": CAPABILITIES, **case.get("host", {})}
    return msgspec.convert(
        {"host": host, "rootfs": "/r", "cgroups_path": "/davit/x", **case.get("facts", {})},
        SpecFacts,
    )


def look_up(spec: dict[str, Any], path: str) -> Any:
    if path == "destinations":
        return [mount["destination"] for mount in spec["mounts"]]
    if match := re.fullmatch(r"mounts\[(.+?)\]\.?(.*)", path):
        found = [mount for mount in spec["mounts"] if mount["destination"] == match[1]]
        assert len(found) <= 1, found
        return look_up(found[0], match[2]) if found and match[2] else (found or [None])[0]
    value: Any = spec
    for name in re.findall(r"[^.\[\]]+", path):
        value = value[int(name)] if isinstance(value, list) else value.get(name)
    return value


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    case = CASES[name]
    if "error" in case:
        with pytest.raises(DavitError, match=re.escape(case["error"])):
            build.build(container(case), facts(case))
        return
    spec = build.build(container(case), facts(case))
    assert {path: look_up(spec, path) for path in case["expect"]} == case["expect"]
    assert json.loads(msgspec.json.encode(spec)) == spec


def test_what_is_wrong_by_itself_is_refused_at_creation() -> None:
    case = CASES["isolation: a kernel parameter of the whole host"]
    with pytest.raises(DavitError, match="not namespaced"):
        build.check(container(case), HostFacts(capabilities=frozenset(CAPABILITIES)))
