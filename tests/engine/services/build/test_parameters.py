"""The parameters of ``POST /build``: honoured, or refused before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.services.build.conftest import Builder

_PARENT = "davit-test-builds"


@pytest.mark.parametrize(
    ("dockerfile", "query", "status", "error"),
    [
        ("FOO x\n", {}, 400, "dockerfile parse error line 1: unknown instruction: FOO"),
        ("", {}, 400, "cannot be empty"),
        ("FROM busybox\n", {"dockerfile": "other"}, 400, "Cannot locate specified Dockerfile"),
        ("FROM busybox\n", {"target": "x"}, 400, "failed to reach build target x"),
        ("FROM busybox\n", {"t": "Bad:Tag"}, 400, "must be lowercase"),
        ("FROM busybox\n", {"buildargs": "[1]"}, 400, "invalid buildargs"),
        ("FROM busybox\n", {"version": "2"}, 400, "needs a session"),
        ("FROM busybox\n", {"squash": "1"}, 501, "squash"),
        ("FROM busybox\n", {"outputs": "x"}, 501, "outputs"),
        ("FROM busybox\n", {"version": "3"}, 400, "invalid version: '3'"),
        ("FROM busybox\n", {"isolation": "hyperv"}, 400, "unsupported isolation: 'hyperv'"),
        ("FROM busybox\n", {"platform": "linux/amd64/v1/x"}, 400, "linux/amd64/v1/x"),
        ("FROM busybox\n", {"memory": "much"}, 400, "invalid memory='much'"),
        ("FROM busybox\n", {"ulimits": '{"Name":1}'}, 400, "invalid ulimits"),
        ("FROM busybox\n", {"remote": "ftp://localhost/x"}, 501, "by HTTP and from git"),
        ("FROM busybox\n", {"remote": "http://127.0.0.1:1/x"}, 400, "failed to GET"),
    ],
)
def test_refusals_before_the_first_step(
    builder: Builder, dockerfile: str, query: dict[str, str], status: int, error: str
) -> None:
    result = builder.build(dockerfile, query=query)
    assert (result.answer.status, error in result.error) == (status, True), result.error


def test_limits_reach_the_containers(builder: Builder) -> None:
    script = """\
FROM busybox
RUN cd /sys/fs/cgroup && cat memory/memory.limit_in_bytes cpu/cpu.shares cpu/cpu.cfs_quota_us \\
    cpu/cpu.cfs_period_us cpuset/cpuset.cpus && ulimit -n && grep Seccomp: /proc/self/status
"""
    result = builder.build(
        script,
        nocache=True,
        memory=64 << 20,
        memswap=-1,
        cpushares=512,
        cpuquota=50000,
        cpuperiod=200000,
        cpusetcpus="0",
        ulimits=[{"Name": "nofile", "Soft": 100, "Hard": 200}],
        securityopt=["seccomp=unconfined"],
        cgroupparent=f"/{_PARENT}",
    )
    parents = list(Path("/sys/fs/cgroup").glob(f"*/{_PARENT}"))
    for parent in parents:
        parent.rmdir()
    assert parents
    assert result.error == ""
    said = result.text.split()
    at = said.index(str(64 << 20))
    assert said[at : at + 8] == [
        *(str(64 << 20), "512", "50000", "200000", "0", "100"),
        *("Seccomp:", "0"),
    ]


def test_containers_stay_as_asked(builder: Builder) -> None:
    def left() -> list[str]:
        rows = builder.client.get("/containers/json", all=True).json
        for row in rows:
            builder.client.delete(f"/containers/{row['Id']}", force=True)
        return [row["State"] for row in rows]

    left()
    good, bad = "FROM busybox\nRUN true\n", "FROM busybox\nRUN false\n"
    for dockerfile, query, states in (
        (good, {}, []),
        (good, {"rm": "0"}, ["exited"]),
        (bad, {}, ["exited"]),
        (bad, {"forcerm": "1"}, []),
    ):
        builder.build(dockerfile, query={"nocache": "1", **query})
        assert left() == states, query


def test_limits_and_network_reach_the_containers(builder: Builder) -> None:
    result = builder.build(
        "FROM busybox\nRUN ls /sys/class/net && cat /etc/hosts && df /dev/shm\n",
        networkmode="none",
        extrahosts="box:10.1.2.3",
        shmsize=8 << 20,
    )
    assert result.error == ""
    assert "eth0" not in result.text
    assert "10.1.2.3\tbox" in result.text
    assert " 8192 " in result.text
