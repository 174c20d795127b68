"""What the Docker CLI does with containers that exist."""

from __future__ import annotations

import json
import select
import signal
import subprocess
from pathlib import Path

import pytest

from davit.sys.host import CGROUP_ROOT, cgroup_version
from tests.engine.compat.cli import Terminal, output, run
from tests.engine.conftest import Davitd


def state(davitd: Davitd, name: str) -> str:
    return output(davitd.docker("inspect", "-f", "{{.State.Status}}", name))


def test_rename(davitd: Davitd) -> None:
    container = run(davitd, "--name", "old")
    run(davitd, "--name", "other")
    davitd.docker("rename", "old", "new")
    assert output(davitd.docker("inspect", "-f", "{{.Id}}", "new")) == container
    done = davitd.docker("rename", "new", "other", check=False)
    assert done.returncode == 1
    assert b'The container name "/other" is already in use' in done.stderr


def test_pause_and_unpause(davitd: Davitd) -> None:
    run(davitd, "--name", "box")
    assert output(davitd.docker("pause", "box")) == "box"
    assert state(davitd, "box") == "paused"
    assert "(Paused)" in output(davitd.docker("ps", "--format", "{{.Status}}"))
    done = davitd.docker("exec", "box", "true", check=False)
    assert b"is paused" in done.stderr
    done = davitd.docker("pause", "box", check=False)
    assert b"is already paused" in done.stderr
    assert output(davitd.docker("unpause", "box")) == "box"
    assert state(davitd, "box") == "running"


def test_wait_for_several(davitd: Davitd) -> None:
    for name, code in (("one", "3"), ("two", "4")):
        davitd.docker("run", "-d", "--name", name, "busybox", "sh", "-c", f"exit {code}")
    assert output(davitd.docker("wait", "one", "two")).split() == ["3", "4"]


def test_update(davitd: Davitd) -> None:
    run(davitd, "--name", "box", "-m", "64m", "--memory-swap", "64m")
    davitd.docker(
        *("update", "-m", "96m", "--memory-swap", "96m", "--cpu-shares", "256", "--pids-limit"),
        *("77", "--restart", "on-failure:4", "box"),
    )
    host = json.loads(davitd.docker("inspect", "-f", "{{json .HostConfig}}", "box").stdout)
    assert (host["Memory"], host["CpuShares"], host["PidsLimit"]) == (96 << 20, 256, 77)
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 4}
    done = davitd.docker("update", "-m", "1k", "box", check=False)
    assert done.returncode == 1


def test_top(davitd: Davitd) -> None:
    run(davitd, "--name", "box")
    lines = output(davitd.docker("top", "box")).splitlines()
    assert lines[0].split()[:2] == ["UID", "PID"]
    assert lines[1].endswith("sleep 600")
    lines = output(davitd.docker("top", "box", "-o", "pid,args")).splitlines()
    assert lines[0].split() == ["PID", "COMMAND"]


def test_stats(davitd: Davitd) -> None:
    container = run(davitd, "--name", "box", "-m", "64m")
    shown = output(davitd.docker("stats", "--no-stream", "--format", "{{json .}}", "box"))
    row = json.loads(shown)
    assert row["Name"] == "box"
    assert container.startswith(row["Container"]) or row["Container"] == "box"
    assert row["MemUsage"].endswith("/ 64MiB")
    assert row["PIDs"] == "1"
    table = output(davitd.docker("stats", "--no-stream", "-a"))
    assert "box" in table


def test_port(davitd: Davitd) -> None:
    run(davitd, "--name", "box", "-p", "127.0.0.1:32192:80", "-p", "127.0.0.1:32193:53/udp")
    assert sorted(output(davitd.docker("port", "box")).splitlines()) == [
        "53/udp -> 127.0.0.1:32193",
        "80/tcp -> 127.0.0.1:32192",
    ]
    assert output(davitd.docker("port", "box", "53/udp")) == "127.0.0.1:32193"
    done = davitd.docker("port", "box", "90", check=False)
    assert done.returncode == 1


def test_attach_twice(davitd: Davitd) -> None:
    davitd.docker(
        *("run", "-d", "-i", "--name", "box", "busybox", "sh", "-c"),
        "while read line; do echo $line; done; exit 6",
    )
    attach = [davitd.cli, "-H", f"unix://{davitd.socket}", "attach"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with (
        subprocess.Popen([*attach, "--no-stdin", "box"], stdout=subprocess.PIPE) as watcher,
        subprocess.Popen([*attach, "box"], **pipes) as speaker,
    ):
        assert speaker.stdin
        assert speaker.stdout
        assert watcher.stdout
        # Whoever attaches sees what comes from then on only.
        until_attached = 0
        while True:
            speaker.stdin.write(b"spoken\n")
            speaker.stdin.flush()
            assert speaker.stdout.readline() == b"spoken\n"
            if select.select([watcher.stdout], [], [], 0.1)[0]:
                break
            until_attached += 1
            assert until_attached < 100
        assert watcher.stdout.readline() == b"spoken\n"
        davitd.docker("rm", "-f", "box")
    assert watcher.returncode
    assert speaker.returncode


def test_attach_ends_with_the_exit_code(davitd: Davitd) -> None:
    davitd.docker(
        *("run", "-d", "--name", "box", "busybox", "sh", "-c"),
        "trap 'echo hung up; exit 8' HUP; while :; do echo on; sleep 0.1; done",
    )
    argv = [davitd.cli, "-H", f"unix://{davitd.socket}", "attach", "box"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as attached:
        assert attached.stdout
        assert attached.stdout.readline() == b"on\n"
        # It passes its own signals on.
        attached.send_signal(signal.SIGHUP)
        assert attached.stdout.read().endswith(b"hung up\n")
    assert attached.returncode == 8


def test_detach_keys(davitd: Davitd) -> None:
    run(davitd, "--name", "box")
    terminal = Terminal(davitd, "exec", "-it", "--detach-keys", "ctrl-x,x", "box", "sh")
    terminal.expect("#")
    terminal.type("\x18x")
    assert terminal.end() in (0, 1)
    assert state(davitd, "box") == "running"


def test_exec_options(davitd: Davitd) -> None:
    run(davitd, "--name", "box", "--cap-drop", "ALL")
    assert output(davitd.docker("exec", "--privileged", "box", "id", "-u")) == "0"
    plain = output(davitd.docker("exec", "box", "grep", "CapEff", "/proc/self/status"))
    strong = output(
        davitd.docker("exec", "--privileged", "box", "grep", "CapEff", "/proc/self/status")
    )
    assert plain.endswith("0000000000000000")
    assert strong != plain
    done = davitd.docker("exec", "-u", "nobody-here", "box", "true", check=False)
    assert done.returncode == 126
    assert b"unable to find user nobody-here" in done.stderr


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["no-such-program"], 126),  # of dockerd 20.10, too
        (["/etc"], 126),
        (["sh", "-c", "exit 7"], 7),
        (["sh", "-c", "kill -9 $$"], 137),
    ],
)
def test_exec_gives_the_exit_code(davitd: Davitd, command: list[str], code: int) -> None:
    run(davitd, "--name", "box")
    assert davitd.docker("exec", "box", *command, check=False).returncode == code


def test_limits_reach_the_kernel(davitd: Davitd) -> None:
    """cgroup parent, OOM settings and block I/O, as the container's own cgroups show them."""
    parent = f"/davit-test-{davitd.settings.instance}"
    try:
        run(
            *(davitd, "--name", "box", "--cgroup-parent", parent, "--oom-score-adj", "500"),
            *("--memory", "32m", "--oom-kill-disable", "--blkio-weight", "300"),
        )
        shown = json.loads(davitd.docker("inspect", "box").stdout)[0]
        assert shown["HostConfig"]["CgroupParent"] == parent
        pid = shown["State"]["Pid"]
        assert Path(f"/proc/{pid}/oom_score_adj").read_text() == "500\n"
        groups = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        assert any(line.endswith(f"{parent}/{shown['Id']}") for line in groups)
        if cgroup_version() == 1:
            memory = CGROUP_ROOT / "memory" / parent.strip("/") / shown["Id"]
            assert "oom_kill_disable 1" in (memory / "memory.oom_control").read_text()
            weights = (CGROUP_ROOT / "blkio" / parent.strip("/") / shown["Id"]).glob("*.weight")
            assert all("300" in path.read_text() for path in weights)
    finally:
        davitd.docker("rm", "-f", "box", check=False)
        for group in CGROUP_ROOT.glob(f"*{parent}"):
            group.rmdir()


def test_logs_options(davitd: Davitd) -> None:
    davitd.docker(
        *("run", "--name", "box", "busybox", "sh", "-c"),
        "for n in 1 2 3 4 5; do echo line $n; sleep 0.05; done",
    )
    assert davitd.docker("logs", "--tail", "0", "box").stdout == b""
    assert davitd.docker("logs", "--tail", "2", "box").stdout == b"line 4\nline 5\n"
    assert davitd.docker("logs", "--since", "1h", "--tail", "all", "box").stdout.count(b"\n") == 5
    assert davitd.docker("logs", "--until", "1h", "box").stdout == b""
    stamped = output(davitd.docker("logs", "-t", "box")).splitlines()
    until = stamped[2].split()[0]
    shown = davitd.docker("logs", "--until", until, "box").stdout
    assert shown == b"line 1\nline 2\nline 3\n"
    assert davitd.docker("logs", "--details", "box").stdout.splitlines()[0].endswith(b"line 1")
    done = davitd.docker("logs", "nobody", check=False)
    assert b"No such container: nobody" in done.stderr


def test_several_at_once_and_one_that_is_not(davitd: Davitd) -> None:
    run(davitd, "--name", "one")
    run(davitd, "--name", "two")
    done = davitd.docker("stop", "-t", "0", "one", "nobody", "two", check=False)
    assert done.returncode == 1
    assert output(done).split() == ["one", "two"]
    assert b"No such container: nobody" in done.stderr
    assert output(davitd.docker("rm", "one", "two")).split() == ["one", "two"]


def test_ps_columns(davitd: Davitd) -> None:
    container = run(davitd, "--name", "box", "-p", "127.0.0.1:32194:80", "--label", "a=b")
    davitd.docker("create", "--name", "newer", "busybox", "echo", "hi")
    rows = [
        json.loads(line)
        for line in output(davitd.docker("ps", "-a", "--format", "{{json .}}")).splitlines()
    ]
    newer, box = rows
    assert (newer["Names"], newer["Status"], newer["State"]) == ("newer", "Created", "created")
    assert newer["Command"] == '"echo hi"'
    assert box["ID"] == container[:12]
    assert box["Ports"] == "127.0.0.1:32194->80/tcp"
    assert box["Labels"] == "a=b"
    assert output(davitd.docker("ps", "-lq", "--no-trunc")) != container
    assert output(davitd.docker("ps", "-n", "1", "-a", "--format", "{{.Names}}")) == "newer"
    assert box["Networks"] == "bridge"
    sized = output(davitd.docker("ps", "-s", "--format", "{{.Size}}"))
    assert sized.startswith("0B (virtual ")
    for filtered, names in (
        ("name=box", "box"),
        ("status=created", "newer"),
        ("ancestor=busybox", "newer\nbox"),
        ("publish=80", "box"),
        ("network=bridge", "newer\nbox"),
        ("before=newer", "box"),
        ("since=box", "newer"),
        (f"id={container[:20]}", "box"),
    ):
        shown = davitd.docker("ps", "-a", "-f", filtered, "--format", "{{.Names}}")
        assert output(shown) == names, filtered
