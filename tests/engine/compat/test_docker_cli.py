"""The Docker CLI drives davit: each command of everyday use, as a user types it."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.engine.busybox import busybox_tar
from tests.engine.compat.cli import Terminal, fetch, output, run
from tests.engine.conftest import Davitd


def test_run_rm_gives_output_and_exit_code(davitd: Davitd) -> None:
    done = davitd.docker(
        *("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 7"), check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"err\n")
    assert output(davitd.docker("ps", "-aq")) == ""


def test_run_takes_standard_input(davitd: Davitd) -> None:
    text = b"line\n" * 100_000
    done = davitd.docker("run", "--rm", "-i", "busybox", "md5sum", stdin=text)
    expected = subprocess.run(["md5sum"], input=text, capture_output=True, check=True).stdout
    assert done.stdout == expected


def test_run_does_not_lose_output(davitd: Davitd) -> None:
    done = davitd.docker("run", "--rm", "busybox", "seq", "1", "200000")
    assert done.stdout.split() == [str(number).encode() for number in range(1, 200001)]


def test_run_with_what_cannot_be_run(davitd: Davitd) -> None:
    done = davitd.docker("run", "--rm", "busybox", "no-such-program", check=False)
    assert done.returncode == 127
    assert b"no-such-program" in done.stderr
    done = davitd.docker("run", "--rm", "busybox", "/etc/passwd", check=False)
    assert done.returncode == 126
    assert output(davitd.docker("ps", "-aq")) == ""


def test_run_of_an_unknown_image(davitd: Davitd) -> None:
    done = davitd.docker("run", "--rm", "--pull", "never", "nowhere:1", check=False)
    assert done.returncode == 125
    assert b"No such image: nowhere:1" in done.stderr


def test_run_publishes_a_port(davitd: Davitd) -> None:
    davitd.docker(
        *("run", "-d", "--name", "web", "-p", "127.0.0.1::80", "busybox", "sh", "-c"),
        "echo hello > /var/www/index.html; exec httpd -f -p 80 -h /var/www",
    )
    address = output(davitd.docker("port", "web", "80/tcp"))
    assert address.startswith("127.0.0.1:")
    assert fetch(f"http://{address}/index.html") == "hello\n"
    assert f"{address}->80/tcp" in output(davitd.docker("ps", "--format", "{{.Ports}}"))


def test_run_it(davitd: Davitd) -> None:
    terminal = Terminal(davitd, "run", "--rm", "-it", "--name", "shell", "busybox", "sh")
    terminal.expect("#")
    terminal.type("tty; echo $((40 + 2)) $TERM\n")
    terminal.expect("/dev/pts/0")
    terminal.expect("42 xterm")
    terminal.type("exit 3\n")
    assert terminal.end() == 3
    assert output(davitd.docker("ps", "-aq")) == ""


def test_detach_and_attach(davitd: Davitd) -> None:
    terminal = Terminal(davitd, "run", "-it", "--name", "shell", "busybox", "sh")
    terminal.expect("#")
    terminal.type("\x10\x11")
    assert terminal.end() == 0
    assert output(davitd.docker("inspect", "-f", "{{.State.Status}}", "shell")) == "running"
    terminal = Terminal(davitd, "attach", "shell")
    terminal.prompt()
    terminal.type("echo $((40 + 2))\n")
    terminal.expect("42")
    terminal.type("exit 0\n")
    assert terminal.end() == 0


def test_ps(davitd: Davitd) -> None:
    run(davitd, "--name", "up", "--label", "team=blue")
    davitd.docker("run", "--name", "down", "busybox", "false", check=False)
    listed = output(davitd.docker("ps", "-a", "--format", "{{.Names}} {{.Image}} {{.Status}}"))
    lines = dict(line.split(" ", 1) for line in listed.splitlines())
    assert lines["up"].startswith("busybox Up ")
    assert lines["down"].startswith("busybox Exited (1) ")
    assert output(davitd.docker("ps", "--format", "{{.Names}}")) == "up"
    filtered = davitd.docker("ps", "-a", "-f", "status=exited", "--format", "{{.Names}}")
    assert output(filtered) == "down"
    filtered = davitd.docker("ps", "-f", "label=team=blue", "--format", "{{.Names}}")
    assert output(filtered) == "up"


def test_logs(davitd: Davitd) -> None:
    davitd.docker(
        *("run", "-d", "--name", "talk", "busybox", "sh", "-c"),
        "for n in 1 2 3; do echo line $n; sleep 0.1; done; echo bad >&2",
    )
    davitd.docker("wait", "talk")
    done = davitd.docker("logs", "talk")
    assert (done.stdout, done.stderr) == (b"line 1\nline 2\nline 3\n", b"bad\n")
    assert davitd.docker("logs", "-n", "2", "talk").stdout == b"line 3\n"
    stamped = output(davitd.docker("logs", "-t", "talk")).splitlines()
    assert stamped[0].endswith("Z line 1")
    since = stamped[1].split()[0]
    assert davitd.docker("logs", "--since", since, "talk").stdout == b"line 2\nline 3\n"


def test_logs_follow(davitd: Davitd) -> None:
    davitd.docker(
        *("run", "-d", "-i", "--name", "talk", "busybox", "sh", "-c"),
        "echo first; while read line; do echo got $line; done",
    )
    argv = [davitd.cli, "-H", f"unix://{davitd.socket}", "logs", "-f", "talk"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as follow:
        assert follow.stdout is not None
        assert follow.stdout.readline() == b"first\n"
        davitd.docker("exec", "talk", "sh", "-c", "echo from exec > /proc/1/fd/1")
        assert follow.stdout.readline() == b"from exec\n"
        davitd.docker("rm", "-f", "talk")
        assert follow.stdout.read() == b""
    assert follow.returncode == 0


def test_exec(davitd: Davitd) -> None:
    run(davitd, "--name", "box", "-e", "COLOUR=blue")
    done = davitd.docker(
        *("exec", "-e", "SIZE=big", "-w", "/tmp", "-u", "user", "box", "sh", "-c"),
        "echo $COLOUR $SIZE $PWD $(id -un); echo bad >&2; exit 9",
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (9, b"blue big /tmp user\n", b"bad\n")
    done = davitd.docker("exec", "-i", "box", "wc", "-c", stdin=b"x" * 300_000)
    assert output(done) == "300000"
    davitd.docker("exec", "-d", "box", "touch", "/tmp/made")
    for _ in range(100):
        if davitd.docker("exec", "box", "test", "-e", "/tmp/made", check=False).returncode == 0:
            break
        time.sleep(0.05)
    else:
        pytest.fail("the detached exec did nothing")
    done = davitd.docker("exec", "box", "no-such-program", check=False)
    assert done.returncode == 126
    done = davitd.docker("exec", "nobody", "true", check=False)
    assert b"No such container: nobody" in done.stderr


def test_exec_on_a_stopped_container(davitd: Davitd) -> None:
    davitd.docker("create", "--name", "still", "busybox")
    done = davitd.docker("exec", "still", "true", check=False)
    assert done.returncode == 1
    assert b"is not running" in done.stderr


def test_exec_it(davitd: Davitd) -> None:
    run(davitd, "--name", "box")
    terminal = Terminal(davitd, "exec", "-it", "box", "sh")
    terminal.expect("#")
    terminal.type("stty size; echo $((40 + 2)); exit 4\n")
    terminal.expect("42")
    assert terminal.end() == 4


def test_inspect(davitd: Davitd) -> None:
    container = run(davitd, "--name", "box", "--label", "a=b", "-m", "64m", "--restart", "always")
    (shown,) = json.loads(davitd.docker("inspect", "box").stdout)
    assert shown["Id"] == container
    assert shown["Name"] == "/box"
    assert shown["State"]["Running"] is True
    assert shown["State"]["Pid"] > 0
    assert shown["Config"]["Labels"] == {"a": "b"}
    assert shown["HostConfig"]["Memory"] == 64 << 20
    assert shown["HostConfig"]["RestartPolicy"]["Name"] == "always"
    assert shown["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]


def test_stop_start_restart_kill_rename_rm(davitd: Davitd) -> None:
    davitd.docker(
        *("run", "-d", "--name", "box", "busybox", "sh", "-c"),
        "trap 'exit 5' TERM; while :; do sleep 0.1; done",
    )
    davitd.docker("stop", "box")
    assert output(davitd.docker("inspect", "-f", "{{.State.ExitCode}}", "box")) == "5"
    davitd.docker("start", "box")
    davitd.docker("restart", "-t", "1", "box")
    davitd.docker("rename", "box", "crate")
    davitd.docker("kill", "-s", "KILL", "crate")
    assert output(davitd.docker("wait", "crate")) == "137"
    davitd.docker("start", "crate")
    done = davitd.docker("rm", "crate", check=False)
    assert done.returncode == 1
    assert b"container is running" in done.stderr
    davitd.docker("rm", "-f", "crate")
    assert output(davitd.docker("ps", "-aq")) == ""


def test_images(davitd: Davitd, tmp_path: Path) -> None:
    archive = tmp_path / "root.tar"
    archive.write_bytes(busybox_tar())
    davitd.docker("import", "-c", "CMD echo hi", str(archive), "made:1")
    assert output(davitd.docker("run", "--rm", "made:1")) == "hi"
    davitd.docker("tag", "made:1", "made:2")
    listed = output(davitd.docker("images", "--format", "{{.Repository}}:{{.Tag}}"))
    assert {"made:1", "made:2", "busybox:latest"} <= set(listed.split())
    saved = tmp_path / "saved.tar"
    davitd.docker("save", "-o", str(saved), "made:2")
    davitd.docker("rmi", "made:1", "made:2")
    assert "made" not in output(davitd.docker("images"))
    assert output(davitd.docker("load", "-i", str(saved))) == "Loaded image: made:2"
    assert output(davitd.docker("run", "--rm", "made:2")) == "hi"
    assert "Imported from -" in output(davitd.docker("history", "made:2"))
    davitd.docker("create", "--name", "user", "made:2")
    done = davitd.docker("rmi", "made:2", check=False)
    assert b"conflict" in done.stderr.lower()
    davitd.docker("rm", "user")
    davitd.docker("rmi", "made:2")


def test_volumes(davitd: Davitd) -> None:
    assert output(davitd.docker("volume", "create", "--label", "a=b", "store")) == "store"
    davitd.docker("run", "--rm", "-v", "store:/data", "busybox", "sh", "-c", "echo kept > /data/f")
    done = davitd.docker("run", "--rm", "-v", "store:/data:ro", "busybox", "cat", "/data/f")
    assert output(done) == "kept"
    assert output(davitd.docker("volume", "ls", "-q")) == "store"
    (shown,) = json.loads(davitd.docker("volume", "inspect", "store").stdout)
    assert shown["Labels"] == {"a": "b"}
    run(davitd, "-v", "store:/data", "--name", "user")
    done = davitd.docker("volume", "rm", "store", check=False)
    assert b"volume is in use" in done.stderr
    davitd.docker("rm", "-f", "user")
    davitd.docker("volume", "rm", "store")


def test_networks(davitd: Davitd) -> None:
    davitd.docker("network", "create", "--subnet", "10.213.97.0/24", "front")
    run(davitd, "--network", "front", "--name", "aa", "--ip", "10.213.97.9")
    run(davitd, "--name", "bb")
    davitd.docker("network", "connect", "--alias", "bee", "front", "bb")
    done = davitd.docker("exec", "bb", "ping", "-c1", "-W2", "aa")
    assert b"10.213.97.9" in done.stdout
    davitd.docker("exec", "aa", "ping", "-c1", "-W2", "bee")
    (shown,) = json.loads(davitd.docker("network", "inspect", "front").stdout)
    assert {member["Name"] for member in shown["Containers"].values()} == {"aa", "bb"}
    done = davitd.docker("network", "rm", "front", check=False)
    assert b"has active endpoints" in done.stderr
    davitd.docker("network", "disconnect", "front", "bb")
    assert davitd.docker("exec", "bb", "ping", "-c1", "-W1", "aa", check=False).returncode != 0
    davitd.docker("rm", "-f", "aa")
    davitd.docker("network", "rm", "front")
    names = output(davitd.docker("network", "ls", "--format", "{{.Name}}")).split()
    assert sorted(names) == ["bridge", "host", "none"]


def test_events(davitd: Davitd) -> None:
    name = f"short-{time.time_ns()}"
    davitd.docker("run", "--rm", "--name", name, "busybox", "true")
    # The CLI sends whole seconds.
    until = str(int(time.time()) + 1)
    done = davitd.docker(
        *("events", "--since", "1m", "--until", until, "-f", f"container={name}"),
        *("--format", "{{.Action}}"),
    )
    actions = output(done).split()
    assert actions == ["create", "attach", "start", "die", "destroy"]


def test_info_and_version(davitd: Davitd) -> None:
    info = json.loads(davitd.docker("info", "--format", "{{json .}}").stdout)
    assert info["Driver"] == "overlay2"
    assert info["Images"] >= 1
    assert info["DockerRootDir"] == str(davitd.data)
    assert info["ServerErrors"] == [] if "ServerErrors" in info else True
    version = json.loads(davitd.docker("version", "--format", "{{json .Server}}").stdout)
    assert version["ApiVersion"] == "1.51"
    assert version["MinAPIVersion"] == "1.24"
    names = [component["Name"] for component in version["Components"]]
    assert names == ["Engine", "runc", "conmon"]
