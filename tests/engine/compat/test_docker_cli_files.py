"""``docker cp``, ``diff``, ``export`` and ``commit``."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.conftest import Davitd

_STATES = ("created", "running", "paused", "exited")


@pytest.fixture(params=_STATES)
def box(request: pytest.FixtureRequest, shared_davitd: Davitd, tmp_path: Path) -> Iterator[str]:
    """A container in each state, with a volume, a read-only one and a bind mount."""
    davitd = shared_davitd
    (tmp_path / "bound").mkdir()
    davitd.docker("run", "--rm", "--volume=fixed:/x", "busybox", "sh", "-c", "echo kept >/x/kept")
    arguments = [
        *("--name=box", "--volume=data:/data", "--volume=fixed:/fixed:ro"),
        *(f"--volume={tmp_path}/bound:/bound", "busybox", "sleep", "1000"),
    ]
    davitd.docker("create", *arguments)
    if request.param != "created":
        davitd.docker("start", "box")
    if request.param == "paused":
        davitd.docker("pause", "box")
    if request.param == "exited":
        davitd.docker("stop", "--time=0", "box")
    yield request.param
    davitd.docker("rm", "--force", "box")
    davitd.docker("volume", "rm", "data", "fixed")
    assert [line for line in davitd.left_behind() if "rootfs" in line or "/m/" in line] == []


def members(davitd: Davitd, path: str) -> dict[str, tarfile.TarInfo]:
    packed = davitd.docker("cp", "--archive", f"box:{path}", "-").stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        return {entry.name: entry for entry in tar.getmembers()}


def test_files_go_in_and_out(box: str, shared_davitd: Davitd, tmp_path: Path) -> None:
    davitd = shared_davitd
    tree = tmp_path / "tree"
    (tree / "below").mkdir(parents=True)
    (tree / "file").write_text("text")
    os.chown(tree / "file", 1234, 4321)
    (tree / "file").chmod(0o4750)
    os.link(tree / "file", tree / "below" / "again")
    os.symlink("/nowhere", tree / "link")
    for place in ("/root", "/data", "/bound", "/root/../data/"):
        davitd.docker("cp", "--archive", str(tree), f"box:{place}")
    davitd.docker("cp", f"{tree}/.", "box:/tmp")
    davitd.docker("cp", str(tree / "file"), "box:/etc/renamed")
    assert (tmp_path / "bound/tree/file").read_text() == "text"
    for place in ("/root/tree", "/data/tree", "/bound/tree"):
        found = members(davitd, place)
        assert set(found) == {
            *("tree", "tree/below", "tree/below/again", "tree/file", "tree/link"),
        }
        again, file = found["tree/below/again"], found["tree/file"]
        assert (again.uid, again.gid, again.mode & 0o7777) == (1234, 4321, 0o4750)
        assert (file.type, file.linkname) == (tarfile.LNKTYPE, "tree/below/again")
        assert found["tree/link"].linkname == "/nowhere"
    assert set(members(davitd, "/tmp/below")) == {"below", "below/again"}
    davitd.docker("cp", "box:/etc/renamed", str(tmp_path / "out"))
    assert (tmp_path / "out").read_text() == "text"
    davitd.docker("cp", "box:/fixed/kept", str(tmp_path / "kept"))
    assert (tmp_path / "kept").read_text() == "kept\n"


def test_read_only_volumes_take_nothing(box: str, shared_davitd: Davitd) -> None:
    refused = shared_davitd.docker("cp", "/etc/hostname", "box:/fixed/", check=False)
    assert b"mounted volume is marked read-only: /fixed" in refused.stderr


def test_missing_paths_are_named(box: str, shared_davitd: Davitd) -> None:
    refused = shared_davitd.docker("cp", "box:/no/such", "-", check=False)
    assert b"Could not find the file /no/such in container box" in refused.stderr
    client = shared_davitd.client
    assert client.get("/containers/box/archive?path=/no").status == 404
    assert client.request("HEAD", "/containers/box/archive?path=/no").status == 404
    answer = client.get("/containers/box/archive?path=/etc/passwd/")
    assert (answer.status, answer.message) == (400, "/etc/passwd/ in box is not a directory")
    answer = client.request("PUT", "/containers/box/archive?path=/etc/passwd", b"")
    assert (answer.status, answer.message) == (
        400,
        "extraction point /etc/passwd is not a directory",
    )


def test_links_do_not_lead_out(box: str, shared_davitd: Davitd, tmp_path: Path) -> None:
    davitd = shared_davitd
    secret = tmp_path / "secret"
    secret.write_text("of the host")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, target in (("out", str(tmp_path)), ("up", "../../../../../.." + str(tmp_path))):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    client = davitd.client
    into = "/containers/box/archive?path=/root"
    assert client.request("PUT", into, packed.getvalue()).status == 200
    for link in ("out", "up"):
        path = f"/containers/box/archive?path=/root/{link}/secret"
        assert client.get(path).status == 404
        written = io.BytesIO()
        with tarfile.open(fileobj=written, mode="w") as tar:
            tar.addfile(tarfile.TarInfo(f"{link}/new"))
        client.request("PUT", into, written.getvalue())
        client.request("PUT", f"{into}/{link}", written.getvalue())
    assert sorted(os.listdir(tmp_path)) == ["bound", "secret"]


def test_hostile_archives_are_refused(box: str, shared_davitd: Davitd) -> None:
    for name in ("../escape", "a/../../escape"):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            tar.addfile(tarfile.TarInfo(name))
        path = "/containers/box/archive?path=/tmp"
        refused = shared_davitd.client.request("PUT", path, packed.getvalue())
        assert refused.status == 400
        assert "leads out" in refused.message


def test_a_directory_is_not_overwritten_by_a_file(box: str, shared_davitd: Davitd) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("www"))
    path = "/containers/box/archive?path=/var&noOverwriteDirNonDir=true"
    refused = shared_davitd.client.request("PUT", path, packed.getvalue())
    assert (refused.status, refused.message) == (
        400,
        "cannot overwrite directory 'www' with non-directory",
    )


def test_differences_become_an_image(shared_davitd: Davitd) -> None:
    davitd = shared_davitd
    script = (
        "mkdir /srv; echo new >/srv/page; rm /etc/group; echo more >>/etc/passwd;"
        "rm -r /var/www; mkdir /var/www; touch /var/www/fresh; ln /srv/page /srv/again;"
        "chown 7:8 /srv/page; mknod /srv/fifo p; touch /data/elsewhere"
    )
    davitd.docker("run", "--name=box", "--volume=/data", "busybox", "sh", "-c", script)
    shown = davitd.docker("diff", "box").stdout.decode().splitlines()
    assert shown == [
        "C /etc",
        "D /etc/group",
        "C /etc/passwd",
        "A /srv",
        "A /srv/again",
        "A /srv/fifo",
        "A /srv/page",
        "C /var",
        "C /var/www",
        "A /var/www/fresh",
    ]
    made = davitd.docker(
        *("commit", "--author=Ann", "--message=why", "--change=CMD cat /srv/page"),
        *("--change=ENV A=b", "box", "made:1"),
    ).stdout.decode()
    image = davitd.client.get("/images/made:1/json").json
    assert made.strip() == image["Id"]
    assert (image["Author"], image["Comment"]) == ("Ann", "why")
    assert image["Config"]["Cmd"] == ["/bin/sh", "-c", "cat /srv/page"]
    assert "A=b" in image["Config"]["Env"]
    assert image["Parent"] == davitd.client.get("/images/busybox/json").json["Id"]
    history = davitd.client.get("/images/made:1/history").json
    assert history[0]["CreatedBy"] == f"sh -c {script}"
    assert davitd.docker("run", "--rm", "made:1").stdout == b"new\n"
    look = "ls /var/www /etc; stat -c %u:%g:%h /srv/again; ls /data"
    shown = davitd.docker("run", "--rm", "made:1", "sh", "-c", look).stdout.decode()
    assert shown.split() == [
        *("/etc:", "hostname", "hosts", "passwd", "resolv.conf", "/var/www:", "fresh", "7:8:2"),
    ]
    davitd.docker("rm", "--volumes", "box")
    davitd.docker("rmi", "made:1")


def test_a_running_container_is_committed_with_nothing_changed(shared_davitd: Davitd) -> None:
    davitd = shared_davitd
    davitd.docker("run", "--detach", "--name=box", "busybox", "sleep", "1000")
    assert davitd.docker("diff", "box").stdout == b""
    davitd.docker("commit", "box", "same")
    layers = [
        davitd.client.get(f"/images/{name}/json").json["RootFS"] for name in ("busybox", "same")
    ]
    assert layers[0] == layers[1]
    assert davitd.client.get("/containers/box/json").json["State"]["Status"] == "running"
    davitd.docker("rm", "--force", "box")
    davitd.docker("rmi", "same")


def test_an_export_is_imported(shared_davitd: Davitd, tmp_path: Path) -> None:
    davitd = shared_davitd
    davitd.docker(
        *("run", "--detach", "--name=box", "--volume=/data", "busybox", "sh", "-c"),
        "touch /data/no; echo yes >/root/mine; sleep 1000",
    )
    davitd.docker("exec", "box", "sh", "-c", "until [ -s /root/mine ]; do sleep 0.1; done")
    running = davitd.docker("export", "box").stdout
    davitd.docker("stop", "--time=0", "box")
    assert davitd.docker("export", "box").stdout == running
    davitd.docker("import", "--change=CMD sh", "-", "flat", stdin=running)
    shown = davitd.docker("run", "--rm", "flat", "sh", "-c", "cat /root/mine; ls /data").stdout
    assert shown == b"yes\n"
    davitd.docker("rm", "--volumes", "box")
    davitd.docker("rmi", "flat")


def test_a_link_is_told_of_itself(shared_davitd: Davitd, tmp_path: Path) -> None:
    davitd = shared_davitd
    davitd.docker("create", "--name=box", "busybox", "sh")
    (tmp_path / "text").write_text("text")
    os.symlink("text", tmp_path / "link")
    os.symlink("../gone", tmp_path / "broken")
    davitd.docker("cp", f"{tmp_path}/.", "box:/tmp")
    davitd.docker("cp", "--follow-link", "box:/tmp/link", str(tmp_path / "copied"))
    assert (tmp_path / "copied").read_text() == "text"
    assert not (tmp_path / "copied").is_symlink()
    davitd.docker("cp", "box:/tmp/link", str(tmp_path / "kept"))
    assert os.readlink(tmp_path / "kept") == "text"
    davitd.docker("rm", "box")


def test_events_tell_of_it(shared_davitd: Davitd) -> None:
    davitd = shared_davitd
    davitd.docker("create", "--name=box", "busybox", "sh")
    since = davitd.client.get("/info").json["SystemTime"]
    davitd.docker("cp", "box:/etc/passwd", "-")
    davitd.docker("cp", "/etc/hostname", "box:/tmp/")
    davitd.docker("export", "box")
    davitd.docker("commit", "box", "made")
    until = davitd.client.get("/info").json["SystemTime"]
    span = (f"--since={since}", f"--until={until}")
    shown = davitd.docker("events", *span, "--format={{json .}}").stdout
    actions = [json.loads(line)["Action"] for line in shown.splitlines()]
    assert [action for action in actions if action not in ("tag", "import")] == [
        *("archive-path", "extract-to-dir", "export", "commit"),
    ]
    davitd.docker("rm", "box")
    davitd.docker("rmi", "made")


def test_disk_usage_is_told(shared_davitd: Davitd) -> None:
    davitd = shared_davitd
    davitd.docker(
        *("run", "--name=box", "--volume=big:/data", "busybox", "sh", "-c"),
        "head -c 3000000 /dev/zero >/data/x; head -c 1000000 /dev/zero >/root/y",
    )
    davitd.docker("commit", "box", "second")
    shown = davitd.client.get("/system/df").json
    (volume,) = shown["Volumes"]
    assert volume["Name"] == "big"
    assert volume["UsageData"]["RefCount"] == 1
    assert 3_000_000 <= volume["UsageData"]["Size"] < 3_100_000
    (container,) = shown["Containers"]
    assert 1_000_000 <= container["SizeRw"] < 1_100_000
    images = {entry["RepoTags"][0]: entry for entry in shown["Images"]}
    base = images["busybox:latest"]
    assert base["SharedSize"] == images["second:latest"]["SharedSize"] == base["Size"]
    assert shown["LayersSize"] == images["second:latest"]["Size"]
    assert base["Containers"] == 1
    assert set(davitd.client.get("/system/df?type=volume").json) == {"Volumes"}
    assert davitd.client.get("/system/df?type=odd").status == 400
    table = davitd.docker("system", "df", "--verbose").stdout.decode()
    assert "second" in table
    assert "3MB" in table
    davitd.docker("rm", "box")
    davitd.docker("volume", "rm", "big")
    davitd.docker("rmi", "second")
