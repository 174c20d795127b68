"""What an older API does not know is named, with the version that it takes."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.davit.fleet.plugins.module_utils._container.support import check
from ansible_collections.davit.fleet.plugins.module_utils._errors import Invalid

BIND = {"type": "bind", "source": "/srv", "target": "/srv"}


@pytest.mark.parametrize(
    ("options", "option", "needed"),
    [
        ({"annotations": {"a": "1"}}, "annotations", (1, 43)),
        ({"cgroupns_mode": "host"}, "cgroupns_mode", (1, 41)),
        ({"platform": "linux/amd64"}, "platform", (1, 41)),
        (
            {"healthcheck": {"test": "true", "start_interval": "1s"}},
            "healthcheck.start_interval",
            (1, 44),
        ),
        ({"mounts": [BIND, {**BIND, "subpath": "a"}]}, "mounts[1].subpath", (1, 45)),
        ({"mounts": [{**BIND, "type": "image"}]}, "mounts[0].type=image", (1, 48)),
        ({"networks": ["a", {"name": "b", "gw_priority": 1}]}, "networks[1].gw_priority", (1, 48)),
    ],
)
def test_option_that_an_api_lacks(
    options: dict[str, Any], option: str, needed: tuple[int, int]
) -> None:
    check(options, needed, "tcp://ship")
    with pytest.raises(Invalid) as raised:
        check(options, (1, needed[1] - 1), "tcp://ship")
    assert str(raised.value) == (
        f"{option}: unsupported by the engine on tcp://ship: needs API 1.{needed[1]}, "
        f"it speaks 1.{needed[1] - 1}"
    )


def test_what_is_not_given_is_supported() -> None:
    mount = {**BIND, "create_mountpoint": False, "subpath": None, "tmpfs_options": None}
    check({"mounts": [mount], "annotations": None, "networks": ["a"]}, (1, 25), "tcp://ship")
