"""Log drivers with real containers, through the Docker CLI."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.client import demultiplex
from tests.engine.conftest import Davitd, new_davitd

JOURNAL = Path("/run/systemd/journal/socket")


def run(davitd: Davitd, name: str, script: str, *flags: str, wait: bool = True) -> None:
    command = ("busybox", "sh", "-c", script)
    davitd.docker("run", "-d", "--network", "none", "--name", name, *flags, *command)
    if wait:
        davitd.docker("wait", name)


def opts(**options: str) -> list[str]:
    """Flags for options whose names are written with underscores."""
    pairs = [f"{name.replace('_', '-')}={value}" for name, value in options.items()]
    return [word for pair in pairs for word in ("--log-opt", pair)]


def logs(davitd: Davitd, name: str, *flags: str) -> list[int]:
    return [int(word) for word in davitd.docker("logs", *flags, name).stdout.split()]


def files(davitd: Davitd, name: str) -> list[Path]:
    return sorted((davitd.data / "containers" / container_id(davitd, name)).glob("container.log*"))


def total(found: list[Path]) -> int:
    """Return the bytes of files, of which some are the same under two names."""
    return sum({path.stat().st_ino: path.stat().st_size for path in found}.values())


def container_id(davitd: Davitd, name: str) -> str:
    return davitd.docker("inspect", "-f", "{{.Id}}", name).stdout.decode().strip()


def until(condition: Callable[[], bool], timeout: float = 30) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def resident(davitd: Davitd) -> int:
    """Memory of the daemon, in bytes."""
    status = Path(f"/proc/{davitd.pid}/status").read_text()
    found = re.search(r"VmRSS:\s*(\d+)", status)
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_a_log_keeps_within_its_limits(shared_davitd: Davitd, driver: str) -> None:
    name = f"limits-{driver}"
    limits = opts(max_size="1m", max_file="3", compress="true")
    # In pieces, so that also a busy machine rotates between them.
    script = "for i in 1 2 3 4 5 6 7 8; do seq $((i*20000)) $((i*20000+19999)); sleep 0.2; done"
    run(shared_davitd, name, script, "--log-driver", driver, *limits)
    until(lambda: total(files(shared_davitd, name)) < 5_000_000)
    got = logs(shared_davitd, name)
    # The first line may have begun in a file that is deleted.
    assert got[1:] == list(range(got[1], 180_000))
    assert f"{got[1] - 1}".endswith(f"{got[0]}")
    assert 20_000 < len(got) < 180_000
    assert logs(shared_davitd, name, "-n", "25000") == got[-25_000:]
    assert any(path.suffix == ".zst" for path in files(shared_davitd, name))


def test_without_davitd_one_file_stays_small(shared_davitd: Davitd) -> None:
    run(shared_davitd, "one-file", "seq 100000", *opts(max_size="100k"))
    got = logs(shared_davitd, "one-file")
    assert got == list(range(got[0], 100_001))
    assert [path.stat().st_size <= 100_000 for path in files(shared_davitd, "one-file")] == [True]
    # Full files of many runs do not add up.
    for _ in range(3):
        shared_davitd.docker("start", "-a", "one-file")
    assert sum(path.stat().st_size for path in files(shared_davitd, "one-file")) <= 200_000


def test_a_follower_loses_nothing_at_rotations(shared_davitd: Davitd) -> None:
    script = (
        "i=0; while [ $i -lt 60 ]; do seq $((i*500)) $((i*500+499)); i=$((i+1)); sleep .03; done"
    )
    limits = opts(max_size="50k", max_file="4")
    run(shared_davitd, "followed", script, *limits, wait=False)
    assert logs(shared_davitd, "followed", "-f") == list(range(30_000))
    assert not [path for path in files(shared_davitd, "followed") if path.name.endswith(".1")]


def test_a_gigabyte(shared_davitd: Davitd) -> None:
    """Neither davitd nor the disk holds them, and the container is not held up."""
    before = resident(shared_davitd)
    script = "yes $(printf '%099d' 7) | head -n 10000000; echo the end"
    limits = opts(max_size="10m", max_file="2")
    run(shared_davitd, "talker", script, *limits, wait=False)
    most = 0
    while shared_davitd.docker("ps", "-q", "-f", "name=talker").stdout:
        found = files(shared_davitd, "talker")
        with contextlib.suppress(FileNotFoundError):
            most = max(most, total(found))
        time.sleep(0.1)
    assert shared_davitd.docker("logs", "-n", "1", "talker").stdout == b"the end\n"
    assert resident(shared_davitd) - before < 30 << 20
    # A fast writer is ahead of who deletes its files: by as much as the machine is busy.
    assert most < 900 << 20
    until(lambda: total(files(shared_davitd, "talker")) < 200 << 20)


def test_rotation_goes_on_after_a_crash(davitd: Davitd) -> None:
    davitd.load_busybox()
    script = (
        "i=0; while [ $i -lt 40 ]; do seq $((i*500)) $((i*500+499)); i=$((i+1)); sleep .05; done"
    )
    run(davitd, "crash", script, *opts(max_size="30k", max_file="100"), wait=False)
    until(lambda: len(files(davitd, "crash")) > 4)
    davitd.kill()
    time.sleep(0.3)
    davitd.start()
    davitd.docker("wait", "crash")
    assert logs(davitd, "crash") == list(range(20_000))


def test_details_and_times(shared_davitd: Davitd) -> None:
    flags = [*opts(labels="a,b", env="X", env_regex="^Y", tag="{{.Name}}"), "-l", "a=1 2"]
    run(shared_davitd, "details", "echo hi", *flags, "-e", "X=5", "-e", "YZ=6", "-e", "N=7")
    line = shared_davitd.docker("logs", "--details", "-t", "details").stdout.decode()
    stamp, _, rest = line.partition(" ")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", stamp)
    assert rest == "X=5,YZ=6,a=1+2,tag=details hi\n"
    run(shared_davitd, "plain", "echo hi")
    assert shared_davitd.docker("logs", "--details", "plain").stdout == b" hi\n"


def test_since_and_until_are_exact_to_the_nanosecond(shared_davitd: Davitd) -> None:
    run(shared_davitd, "exact", "for i in 1 2 3; do echo $i; sleep 0.01; done")
    lines = shared_davitd.docker("logs", "-t", "exact").stdout.decode().splitlines()
    stamps = [line.split()[0] for line in lines]
    assert logs(shared_davitd, "exact", "--since", stamps[1]) == [2, 3]
    assert logs(shared_davitd, "exact", "--until", stamps[1]) == [1, 2]
    assert logs(shared_davitd, "exact", "--since", stamps[1], "--until", stamps[1]) == [2]
    later = stamps[1][:-4] + f"{int(stamps[1][-4:-1]) + 1:03d}Z"
    if later > stamps[1]:
        assert logs(shared_davitd, "exact", "--since", later) == [3]


def test_streams_are_in_the_order_of_their_writing(shared_davitd: Davitd) -> None:
    script = "for i in 1 2 3 4 5; do echo $i; sleep 0.02; echo $i >&2; sleep 0.02; done"
    run(shared_davitd, "order", script)
    lines = shared_davitd.docker("logs", "-t", "order")
    both = [(line, 1) for line in lines.stdout.splitlines()]
    both += [(line, 2) for line in lines.stderr.splitlines()]
    assert [(int(line.split()[1]), stream) for line, stream in sorted(both)] == [
        (number, stream) for number in range(1, 6) for stream in (1, 2)
    ]


def test_a_log_that_is_not_kept(shared_davitd: Davitd) -> None:
    run(shared_davitd, "none", "echo hi", "--log-driver", "none")
    refused = shared_davitd.docker("logs", "none", check=False)
    assert b"configured logging driver does not support reading" in refused.stderr
    answer = shared_davitd.client.get("/containers/none/logs", stdout=True)
    assert answer.status == 501
    attached = shared_davitd.client.post("/containers/none/attach", logs=True, stdout=True)
    assert attached.status == 501
    shown = shared_davitd.client.get("/containers/none/json").json
    assert (shown["LogPath"], shown["HostConfig"]["LogConfig"]["Type"]) == ("", "none")


@pytest.mark.parametrize(
    ("driver", "options", "message"),
    [
        ("gone", {}, "logger: no log driver named 'gone' is registered"),
        ("json-file", {"foo": "1"}, "unknown log opt 'foo' for json-file log driver"),
        ("local", {"foo": "1"}, "unknown log opt 'foo' for log driver local"),
        ("local", {"labels": "a"}, "unknown log opt 'labels'"),
        ("syslog", {"max-size": "1m"}, "unknown log opt 'max-size' for syslog log driver"),
        ("json-file", {"max-size": "abc"}, "invalid size: 'abc'"),
        ("json-file", {"max-size": "0"}, "max-size must be a positive number"),
        ("json-file", {"max-file": "0"}, "max-file cannot be less than 1"),
        ("json-file", {"compress": "true"}, "compress cannot be true when max-file"),
        ("json-file", {"mode": "fast"}, "logging mode not supported: fast"),
        ("json-file", {"max-buffer-size": "1m"}, "only supported with 'mode=non-blocking'"),
        ("json-file", {"env-regex": "("}, "error parsing regexp"),
        ("json-file", {"tag": "{{.Foo}}"}, "can't evaluate"),
        ("syslog", {"syslog-address": "foo://x"}, "should be in form proto://address"),
        ("syslog", {"syslog-facility": "foo"}, "invalid syslog facility"),
        ("syslog", {"syslog-format": "foo"}, "Invalid syslog format"),
        ("syslog", {"cache-disabled": "foo"}, "invalid value for option cache-disabled: foo"),
    ],
)
def test_refusals(
    shared_davitd: Davitd, driver: str, options: dict[str, str], message: str
) -> None:
    log = {"Type": driver, "Config": options}
    body = {"Image": "busybox", "Cmd": ["true"], "HostConfig": {"LogConfig": log}}
    answer = shared_davitd.client.post("/containers/create", body)
    assert (answer.status, message in answer.json["message"]) == (400, True), answer.body


def test_the_engines_own_choice() -> None:
    flags = ("--log-driver", "local", "--log-opt", "max-size=5m", "--log-opt", "max-file=2")
    with new_davitd(*flags) as davitd:
        davitd.load_busybox()
        assert davitd.client.get("/info").json["LoggingDriver"] == "local"
        run(davitd, "ours", "echo hi", *opts(max_file="3"))
        run(davitd, "theirs", "echo hi", "--log-driver", "json-file")
        shown = {n: davitd.client.get(f"/containers/{n}/json").json for n in ("ours", "theirs")}
        chosen = {name: each["HostConfig"]["LogConfig"] for name, each in shown.items()}
        assert chosen["ours"] == {"Type": "local", "Config": {"max-size": "5m", "max-file": "3"}}
        assert chosen["theirs"] == {"Type": "json-file", "Config": {}}
        assert shown["ours"]["LogPath"] == ""
        assert Path(shown["theirs"]["LogPath"]).read_text().endswith(" stdout F hi\n")


def test_a_wrong_choice_is_refused(davitd: Davitd) -> None:
    command = [*davitd._argv(), "--log-opt", "foo=1", "--validate"]
    done = subprocess.run(command, capture_output=True, timeout=30)
    assert done.returncode == 2
    assert b"unknown log opt 'foo' for json-file log driver" in done.stderr


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(30)
        yield server


def syslog(server: socket.socket, **options: str) -> list[str]:
    address = f"udp://127.0.0.1:{server.getsockname()[1]}"
    return ["--log-driver", "syslog", *opts(syslog_address=address, **options)]


def received(server: socket.socket, count: int) -> list[str]:
    return [server.recv(65536).decode() for _ in range(count)]


def test_syslog(shared_davitd: Davitd, server: socket.socket) -> None:
    flags = syslog(server, tag="{{.Name}}/{{.ImageName}}", syslog_format="rfc5424micro")
    run(shared_davitd, "sys", "echo hi; sleep 0.1; echo err >&2", *flags)
    first, second = received(server, 2)
    assert re.fullmatch(r"<30>1 \S{26}Z \S+ sys/busybox \d+ sys/busybox - hi\n", first)
    assert second.startswith("<27>1 ")
    done = shared_davitd.docker("logs", "sys")
    assert (done.stdout, done.stderr) == (b"hi\n", b"err\n")
    run(shared_davitd, "unread", "echo hi", *syslog(server, cache_disabled="true"))
    assert b"does not support reading" in shared_davitd.docker("logs", "unread", check=False).stderr


def test_syslog_without_a_server(shared_davitd: Davitd) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{unused.getsockname()[1]}"
        done = shared_davitd.docker(
            *("run", "--name", "nowhere", "--log-driver", "syslog", "--log-opt"),
            *(f"syslog-address={address}", "busybox", "true"),
            check=False,
        )
    assert b"failed to initialize logging driver" in done.stderr
    assert f"dial {address.replace('://', ' ')}: connection refused".encode() in done.stderr


def test_syslog_goes_on_after_a_crash(davitd: Davitd, server: socket.socket) -> None:
    davitd.load_busybox()
    run(
        davitd,
        "go",
        "for i in 1 2 3 4 5 6; do echo n$i; sleep 0.3; done",
        *syslog(server),
        wait=False,
    )
    got = received(server, 2)
    davitd.kill()
    time.sleep(0.7)
    davitd.start()
    while not got[-1].endswith("n6\n"):
        got += received(server, 1)
    seen = [line.rsplit(" ", 1)[1].strip() for line in got]
    assert sorted(set(seen)) == [f"n{number}" for number in range(1, 7)]
    assert seen == sorted(seen)  # the last one before the crash may come twice


@pytest.mark.skipif(JOURNAL.exists(), reason="a journal runs here: its socket is not ours to bind")
def test_journald(shared_davitd: Davitd) -> None:
    refused = shared_davitd.docker(
        "run", "--log-driver", "journald", "busybox", "true", check=False
    )
    assert b"journald is not enabled on this host" in refused.stderr
    made = [path for path in (JOURNAL.parent, *JOURNAL.parents) if not path.exists()]
    JOURNAL.parent.mkdir(parents=True, exist_ok=True)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
            server.bind(str(JOURNAL))
            server.settimeout(30)
            flags = ["--log-driver", "journald", *opts(labels="a.b"), "-l", "a.b=c"]
            run(shared_davitd, "jou", "echo hi", *flags)
            entry: dict[str, Any] = dict(
                line.split("=", 1) for line in server.recv(65536).decode().splitlines()
            )
    finally:
        JOURNAL.unlink(missing_ok=True)
        for path in made:
            with contextlib.suppress(OSError):
                path.rmdir()
    full = container_id(shared_davitd, "jou")
    assert entry.pop("SYSLOG_TIMESTAMP").endswith("Z")
    assert entry == {
        "MESSAGE": "hi",
        "PRIORITY": "6",
        "CONTAINER_ID": full[:12],
        "CONTAINER_ID_FULL": full,
        "CONTAINER_NAME": "jou",
        "CONTAINER_TAG": full[:12],
        "IMAGE_NAME": "busybox",
        "SYSLOG_IDENTIFIER": full[:12],
        "A_B": "c",
    }
    assert shared_davitd.docker("logs", "jou").stdout == b"hi\n"


def test_a_full_disk(davitd: Davitd) -> None:
    """The container goes on, davitd goes on, and the log has what found room."""
    davitd.load_busybox()
    disk = davitd.data / "containers"
    disk.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], check=True)
    try:
        name = "fills"
        script = "seq 1000000; echo alive >/dev/shm/alive; sleep 1000"
        run(davitd, name, script, *opts(max_size="1m", max_file="50"), wait=False)
        until(
            lambda: (
                davitd.docker("exec", name, "cat", "/dev/shm/alive", check=False).returncode == 0
            )
        )
        assert os.statvfs(disk).f_bavail == 0
        answer = davitd.client.get(f"/containers/{name}/logs", stdout=True)
        text = demultiplex(answer.body)[0]
        assert text.startswith(b"1\n2\n3\n")
        assert davitd.client.get("/containers/json").status == 200
        davitd.docker("rm", "-f", name)
        until(lambda: not list(disk.iterdir()))
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
