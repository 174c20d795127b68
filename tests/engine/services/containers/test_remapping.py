"""Containers in a user namespace: ``--userns-remap``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from davit.model.idmap import IdMap, IdRange
from davit.services.swarm.files import FileKeeper, TaskFile
from davit.sys import userns
from tests.engine.compat.cli import needs
from tests.engine.conftest import Davitd, new_davitd
from tests.engine.services.build.conftest import Builder

_USER = "davit-test"
_FIRST = 200000


@pytest.fixture(scope="module")
def remapped() -> Iterator[Davitd]:
    before = {path: path.read_text() for path in map(Path, ("/etc/subuid", "/etc/subgid"))}
    try:
        for path, text in before.items():
            path.write_text(f"{text.rstrip()}\n{_USER}:{_FIRST}:65536\n".lstrip())
        with new_davitd("--userns-remap", _USER) as davitd:
            davitd.load_busybox()
            yield davitd
    finally:
        for path, text in before.items():
            path.write_text(text)


def run(davitd: Davitd, *arguments: str) -> str:
    return davitd.docker("run", "--rm", *arguments).stdout.decode()


def test_root_is_nobody_on_the_host(remapped: Davitd) -> None:
    remapped.docker("run", "--detach", "--name=box", "busybox", "sleep", "1000")
    state = remapped.client.get("/containers/box/json").json["State"]
    assert Path(f"/proc/{state['Pid']}").stat().st_uid == _FIRST
    shown = remapped.docker("exec", "box", "sh", "-c", "id -u; cat /proc/self/uid_map").stdout
    assert shown.split() == [b"0", b"0", b"%d" % _FIRST, b"65536"]
    remapped.docker("rm", "--force", "box")


def test_files_have_the_owners_that_are_seen_inside(remapped: Davitd) -> None:
    script = (
        "stat -c %u:%g /bin/busybox /etc/hosts /etc/resolv.conf /data /tmp;"
        "echo new >/etc/passwd; touch /root/mine; chown 1000:1001 /root/mine;"
        "mknod /root/fifo p; rm /etc/group; cp /bin/busybox /root/copied; chmod u+s /root/copied;"
        "touch /data/kept; chown 7:8 /data/kept"
    )
    remapped.docker("run", "--name=box", "--volume=kept:/data", "busybox", "sh", "-c", script)
    shown = remapped.docker("logs", "box").stdout
    assert shown.split() == [b"0:0"] * 5
    container_id = remapped.client.get("/containers/box/json").json["Id"]
    upper = remapped.data / "containers" / container_id / "upper"
    on_disk = {
        name: ((upper / name).lstat().st_uid, (upper / name).lstat().st_gid)
        for name in ("etc/passwd", "root/mine", "root/fifo", "etc/group", "root/copied")
    }
    assert on_disk == {
        "etc/passwd": (0, 0),
        "root/mine": (1000, 1001),
        "root/fifo": (0, 0),
        "etc/group": (0, 0),  # the whiteout
        "root/copied": (0, 0),
    }
    assert (upper / "root/copied").stat().st_mode & 0o7777 == 0o4755
    kept = (remapped.data / "volumes/kept/_data/kept").stat()
    assert (kept.st_uid, kept.st_gid) == (7, 8)
    # Another life, in the host's user namespace, sees the same.
    again = run(
        remapped,
        "--userns=host",
        "--volume=kept:/data",
        "busybox",
        "stat",
        "-c",
        "%u",
        "/data/kept",
    )
    assert again == "7\n"
    remapped.docker("rm", "--volumes", "box")


def test_a_container_works_as_any_other(remapped: Davitd) -> None:
    remapped.docker("run", "--detach", "--name=web", "--publish=80", "busybox", "httpd", "-f")
    shown = run(
        remapped,
        *("--link=web", "--user=user", "--tmpfs=/scratch", "--memory=64m", "--sysctl"),
        *("net.core.somaxconn=99", "--read-only", "busybox", "sh", "-c"),
        "id -u; cat /proc/sys/net/core/somaxconn; wget -q -O - http://web/ 2>&1; ls /sys/class/net",
    )
    lines = shown.split("\n")
    assert lines[:2] == ["1000", "99"]
    assert "404 Not Found" in shown
    assert lines[-3:] == ["eth0", "lo", ""]
    remapped.docker("restart", "--time=0", "web")
    assert remapped.docker("exec", "web", "id", "-u").stdout == b"0\n"
    remapped.docker("rm", "--force", "web")


def test_containers_share_namespaces(remapped: Davitd) -> None:
    remapped.docker("run", "--detach", "--name=one", "--ipc=shareable", "busybox", "sleep", "1000")
    shown = run(
        remapped,
        *("--network=container:one", "--ipc=container:one", "--pid=container:one", "busybox"),
        *("sh", "-c", "ps -o args | grep -c '[s]leep 1000'; touch /dev/shm/x && echo yes"),
    )
    assert shown.split() == ["1", "yes"]
    remapped.docker("rm", "--force", "one")


def test_nothing_of_the_start_stays_mounted(remapped: Davitd) -> None:
    remapped.docker("run", "--detach", "--name=box", "--volume=/data", "busybox", "sleep", "1000")
    mounts = Path("/proc/self/mounts").read_text()
    assert f"{remapped.run}/m/" not in [line.split()[1] for line in mounts.splitlines()]
    assert os.listdir(remapped.run / "m") == []
    remapped.docker("rm", "--force", "--volumes", "box")


def test_a_restart_finds_the_same_namespace(remapped: Davitd) -> None:
    remapped.docker("run", "--detach", "--name=one", "busybox", "sleep", "1000")
    before = (remapped.run / "userns").stat().st_ino
    remapped.kill()
    remapped.start()
    assert (remapped.run / "userns").stat().st_ino == before
    assert run(remapped, "--pid=container:one", "busybox", "cat", "/proc/1/cmdline") == (
        "sleep\x001000\x00"
    )
    remapped.docker("rm", "--force", "one")


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--privileged", "privileged mode is incompatible with user namespaces"),
        ("--network=host", "cannot share the host's network namespace"),
        ("--pid=host", "cannot share the host PID namespace"),
        ("--ipc=host", "cannot share the host's IPC namespace"),
    ],
)
def test_what_needs_the_host_is_refused(remapped: Davitd, flag: str, words: str) -> None:
    refused = remapped.docker("run", "--rm", flag, "busybox", "true", check=False)
    assert words in refused.stderr.decode()
    assert run(remapped, flag, "--userns=host", "busybox", "cat", "/proc/self/uid_map").split() == [
        "0",
        "0",
        "4294967295",
    ]


def test_info_tells(remapped: Davitd) -> None:
    assert "name=userns" in remapped.client.get("/info").json["SecurityOptions"]


def test_subordinate_ids_are_found_by_name_and_number(tmp_path: Path) -> None:
    file = tmp_path / "subuid"
    file.write_text("# comment\nann:100000:65536\nbob:1:2\n1000:300000:10\nbad\n")
    assert userns.subordinate("ann", 1000, file) == [
        IdRange(0, 100000, 65536),
        IdRange(65536, 300000, 10),
    ]
    with pytest.raises(Exception, match="gives eve no IDs: add a line such as eve:100000:65536"):
        userns.subordinate("eve", 5, file)


@needs(28)
def test_mounted_images(remapped: Davitd) -> None:
    wish = "type=image,src=busybox,dst=/x"
    shown = run(remapped, "--mount", wish, "busybox", "stat", "-c", "%u", "/x/bin/busybox", "/x")
    assert shown.split() == ["0", "0"]
    part = run(remapped, "--mount", f"{wish},image-subpath=bin", "busybox", "stat", "-c%u", "/x/sh")
    assert part.split() == ["0"]


def test_builds_see_the_owners_that_their_files_will_have(remapped: Davitd) -> None:
    dockerfile = """\
FROM busybox
WORKDIR /w
COPY --chown=user a /a
RUN touch /made && chown 5:6 /made && rm /etc/group
RUN stat -c '%u:%g %n' / /w /a /made /etc/passwd && ! test -e /etc/group
"""
    result = Builder(remapped).build(dockerfile, {"a": "text"})
    assert result.error == ""
    shown = ["0:0 /", "0:0 /w", "1000:1000 /a", "5:6 /made", "0:0 /etc/passwd"]
    assert "\n".join(shown) in result.text


def test_mounts_of_builds(remapped: Davitd) -> None:
    dockerfile = """\
FROM busybox AS made
RUN touch /made && chown 5:6 /made
FROM busybox
RUN --mount=target=/context --mount=target=/open,rw --mount=from=made,target=/image,rw \\
    --mount=type=cache,target=/cache --mount=type=cache,target=/users,uid=7,gid=8 \\
    --mount=type=secret,id=s,uid=3 \\
    touch /cache/x /open/x /image/x && chown 9:9 /cache/x && cat /run/secrets/s \\
    && stat -c '%u:%g %n' /context/a /open/a /image/made /cache/x /users /run/secrets/s
RUN --mount=type=cache,target=/cache stat -c '%u:%g again' /cache/x
"""
    result = Builder(remapped).build(dockerfile, {"a": "text"}, secrets={"s": "told"})
    assert result.error == ""
    shown = ["0:0 /context/a", "0:0 /open/a", "5:6 /image/made", "9:9 /cache/x", "7:8 /users"]
    assert "\n".join(["told" + shown[0], *shown[1:], "3:0 /run/secrets/s"]) in result.text
    assert "9:9 again" in result.text


async def test_secrets_of_tasks_are_their_owners(remapped: Davitd) -> None:
    whole = [IdRange(0, _FIRST, 65536)]
    keeper = FileKeeper(remapped.run / "tasks", IdMap(uids=whole, gids=whole))
    await keeper.make("t1", [TaskFile("/run/secrets/key", 1000, 1001, 0o400, b"hush")])
    try:
        (mount,) = keeper.mounts("t1", ["/run/secrets/key"])
        bind = f"type=bind,source={mount.source},target={mount.target},readonly"
        show = "stat -c '%a %u:%g' /run/secrets/key; cat /run/secrets/key"
        shown = await asyncio.to_thread(
            run, remapped, "--mount", bind, "--user=1000:1001", "busybox", "sh", "-c", show
        )
        assert shown == "400 1000:1001\nhush"
    finally:
        await keeper.remove("t1")
