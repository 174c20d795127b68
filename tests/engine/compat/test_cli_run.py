"""``docker run`` with all its usual flags: what each does inside the container."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine.compat.cli import output, run
from tests.engine.conftest import Davitd

INSIDE = [
    # flags, what runs, what it says
    (["-e", "A=1", "-e", "B=two words"], "echo $A $B", "1 two words"),
    (["-w", "/var/www"], "pwd", "/var/www"),
    (["-u", "1000:2000"], "id -u; id -g", "1000\n2000"),
    (["-u", "user", "--group-add", "2000"], "id -G", "1000 2000"),
    (["-h", "harbour", "--domainname", "example"], "hostname -f", "harbour.example"),
    (["--add-host", "pier:10.0.0.9"], "grep pier /etc/hosts", "10.0.0.9\tpier"),
    (
        ["--dns", "10.9.8.7", "--dns-search", "sea.example", "--dns-option", "ndots:3"],
        "cat /etc/resolv.conf",
        "nameserver 10.9.8.7\nsearch sea.example\noptions ndots:3",
    ),
    (["--tmpfs", "/scratch:size=1m"], "df -k /scratch | awk 'END {print $2}'", "1024"),
    (["--shm-size", "8m"], "df -k /dev/shm | awk 'END {print $2}'", "8192"),
    (["--read-only"], "touch /file 2>&1", "touch: /file: Read-only file system"),
    (["--network", "none"], "ip -o link | wc -l", "1"),
    (["--network", "host"], "readlink /proc/self/ns/net", None),
    (["--ulimit", "nofile=64:128"], "ulimit -Sn; ulimit -Hn", "64\n128"),
    (["--sysctl", "net.ipv4.ip_forward=0"], "cat /proc/sys/net/ipv4/ip_forward", "0"),
    (["--cap-drop", "ALL"], "grep CapEff /proc/self/status", "CapEff:\t0000000000000000"),
    (["--init"], "cat /proc/1/comm", None),
    (["--entrypoint", "echo"], None, "spoken"),
    (
        ["--mac-address", "02:42:0a:00:00:07"],
        "cat /sys/class/net/eth0/address",
        "02:42:0a:00:00:07",
    ),
    (
        ["--security-opt", "no-new-privileges"],
        "grep NoNewPrivs /proc/self/status",
        "NoNewPrivs:\t1",
    ),
    (["--oom-score-adj", "200"], "cat /proc/self/oom_score_adj", "200"),
]


@pytest.mark.parametrize(("flags", "script", "said"), INSIDE, ids=[row[0][0] for row in INSIDE])
def test_flags(davitd: Davitd, flags: list[str], script: str | None, said: str | None) -> None:
    command = ["spoken"] if script is None else ["sh", "-c", f"{script} || true"]
    done = davitd.docker("run", "--rm", *flags, "busybox", *command)
    if said is None:
        assert output(done) not in ("", "sh")
    else:
        assert output(done) == said


def test_flags_that_inspect_shows(davitd: Davitd) -> None:
    davitd.docker(
        *("create", "--name", "box", "--label", "a=b", "--cpus", "1.5", "--cpu-shares", "512"),
        *("-m", "64m", "--memory-reservation", "32m", "--pids-limit", "50"),
        *("--restart", "on-failure:3", "--stop-signal", "INT", "--stop-timeout", "7"),
        *("--health-cmd", "true", "--health-interval", "3s", "--health-retries", "2"),
        *("-p", "127.0.0.1:32191:80/udp", "--expose", "90", "--privileged", "busybox", "top"),
    )
    (shown,) = json.loads(davitd.docker("inspect", "box").stdout)
    config, host = shown["Config"], shown["HostConfig"]
    assert (config["StopSignal"], config["StopTimeout"]) == ("INT", 7)
    assert set(config["ExposedPorts"]) == {"80/udp", "90/tcp"}
    health: dict[str, Any] = config["Healthcheck"]
    assert (health["Test"], health["Interval"]) == (["CMD-SHELL", "true"], 3_000_000_000)
    assert (host["NanoCpus"], host["CpuShares"]) == (1_500_000_000, 512)
    assert (host["Memory"], host["MemoryReservation"], host["PidsLimit"]) == (
        64 << 20,
        32 << 20,
        50,
    )
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert host["PortBindings"] == {"80/udp": [{"HostIp": "127.0.0.1", "HostPort": "32191"}]}
    assert host["Privileged"] is True


def test_mounts(davitd: Davitd, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("from the host\n")
    done = davitd.docker(
        *("run", "--rm", "-v", f"{tmp_path}:/a:ro", "-v", "store:/b"),
        *("--mount", f"type=bind,source={tmp_path},target=/c"),
        *("--mount", "type=volume,source=store,target=/d,readonly"),
        *("--mount", "type=tmpfs,target=/e,tmpfs-size=1048576", "busybox", "sh", "-c"),
        "cat /a/file; echo kept > /b/f; cat /d/f; touch /c/made; touch /a/x /d/x 2>&1; df -k /e | "
        "awk 'END {print $2}'",
    )
    lines = output(done).splitlines()
    assert lines[:2] == ["from the host", "kept"]
    assert [line for line in lines if "Read-only file system" in line] == lines[2:4]
    assert lines[4] == "1024"
    assert (tmp_path / "made").exists()
    davitd.docker("volume", "rm", "store")


def test_volumes_from(davitd: Davitd) -> None:
    run(davitd, "--name", "owner", "-v", "/data")
    davitd.docker("exec", "owner", "sh", "-c", "echo shared > /data/f")
    done = davitd.docker("run", "--rm", "--volumes-from", "owner:ro", "busybox", "cat", "/data/f")
    assert output(done) == "shared"


def test_env_file_label_file_and_cidfile(davitd: Davitd, tmp_path: Path) -> None:
    (tmp_path / "env").write_text("# comment\nA=1\nB=two words\n")
    (tmp_path / "labels").write_text("x=y\n")
    done = davitd.docker(
        *("run", "--name", "box", "--env-file", str(tmp_path / "env")),
        *("--label-file", str(tmp_path / "labels"), "--cidfile", str(tmp_path / "cid")),
        *("busybox", "sh", "-c", "echo $A $B"),
    )
    assert output(done) == "1 two words"
    assert output(davitd.docker("inspect", "-f", "{{.Id}} {{.Config.Labels.x}}", "box")) == (
        (tmp_path / "cid").read_text() + " y"
    )


def test_namespaces_of_another_container(davitd: Davitd) -> None:
    run(davitd, "--name", "first", "--ipc", "shareable", "-h", "first")
    for kind, flag in (("net", "--network"), ("ipc", "--ipc"), ("pid", "--pid")):
        inside = davitd.docker("exec", "first", "readlink", f"/proc/self/ns/{kind}")
        joined = davitd.docker(
            *("run", "--rm", flag, "container:first", "busybox", "readlink"),
            f"/proc/self/ns/{kind}",
        )
        assert joined.stdout == inside.stdout


def test_restart_policy(davitd: Davitd) -> None:
    davitd.docker("run", "-d", "--name", "box", "--restart", "on-failure:2", "busybox", "false")
    davitd.docker("wait", "box")
    for _ in range(200):
        state = json.loads(davitd.docker("inspect", "-f", "{{json .}}", "box").stdout)
        if state["RestartCount"] == 2 and not state["State"]["Running"]:
            break
    else:
        pytest.fail(f"it was restarted {state['RestartCount']} times")
    assert state["State"]["ExitCode"] == 1
