"""The OCI runtime or conmon is missing, fails or hangs: the daemon says so and goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.conftest import new_davitd

STUBS = Path(__file__).parents[1] / "stubs"


@pytest.mark.parametrize(
    ("flags", "status", "words"),
    [
        (["--conmon", "/not/there/conmon"], 503, "conmon is not installed on this host"),
        (["--conmon", str(STUBS / "conmon-refuses")], 500, "option parsing failed"),
        (["--default-runtime", "/not/there/runc"], 500, "/not/there/runc"),
        (["--default-runtime", str(STUBS / "runc-fails")], 500, "no space"),
    ],
)
def test_a_start_fails_with_the_reason_and_leaves_nothing(
    flags: list[str], status: int, words: str
) -> None:
    with new_davitd(*flags) as davitd:
        davitd.load_busybox()
        idle = davitd.left_behind()
        body = {"Image": "busybox", "HostConfig": {"PortBindings": {"80/tcp": [{}]}}}
        container_id = davitd.client.post("/containers/create", body).json["Id"]
        failed = davitd.client.post(f"/containers/{container_id}/start")
        assert failed.status == status
        assert words in failed.message
        state = davitd.client.get(f"/containers/{container_id}/json").json["State"]
        assert (state["Status"], state["Error"]) == ("created", failed.message)
        assert davitd.client.delete(f"/containers/{container_id}").status == 204
        assert [trace for trace in davitd.left_behind() if "netns" not in trace] == [
            trace for trace in idle if "netns" not in trace
        ]
