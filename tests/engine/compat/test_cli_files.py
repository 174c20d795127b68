"""The Docker CLI on a container's files: cp, diff, commit, export."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

from tests.engine.compat.cli import output, run
from tests.engine.conftest import Davitd


def test_cp_in_and_out(davitd: Davitd, tmp_path: Path) -> None:
    run(davitd, "--name", "box")
    (tmp_path / "tree/inner").mkdir(parents=True)
    (tmp_path / "tree/inner/file").write_text("inside\n")
    (tmp_path / "tree/link").symlink_to("inner/file")
    davitd.docker("cp", str(tmp_path / "tree"), "box:/root")
    assert output(davitd.docker("exec", "box", "cat", "/root/tree/link")) == "inside"
    # Into a name that is not there; the content alone, by a dot.
    davitd.docker("cp", f"{tmp_path}/tree/.", "box:/copied")
    assert output(davitd.docker("exec", "box", "ls", "/copied")).split() == ["inner", "link"]
    davitd.docker("cp", "box:/root/tree", str(tmp_path / "back"))
    assert (tmp_path / "back/inner/file").read_text() == "inside\n"
    assert (tmp_path / "back/link").readlink() == Path("inner/file")
    davitd.docker("cp", "box:/root/tree/inner/file", str(tmp_path / "renamed"))
    assert (tmp_path / "renamed").read_text() == "inside\n"
    davitd.docker("cp", "-L", "box:/root/tree/link", str(tmp_path / "followed"))
    assert (tmp_path / "followed").read_text() == "inside\n"


def test_cp_streams(davitd: Davitd) -> None:
    davitd.docker("create", "--name", "box", "busybox")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        member = tarfile.TarInfo("file")
        member.size, member.uid, member.gid, member.mode = 5, 1000, 2000, 0o640
        tar.addfile(member, io.BytesIO(b"words"))
    davitd.docker("cp", "-a", "-", "box:/tmp", stdin=packed.getvalue())
    done = davitd.docker("cp", "box:/tmp/file", "-")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        (member,) = tar.getmembers()
        assert (member.name, member.uid, member.gid, member.mode) == ("file", 1000, 2000, 0o640)


def test_cp_of_what_is_not_there(davitd: Davitd, tmp_path: Path) -> None:
    davitd.docker("create", "--name", "box", "busybox")
    done = davitd.docker("cp", "box:/nothing", str(tmp_path), check=False)
    assert done.returncode == 1
    # In the words of the CLI, which differ by release.
    assert b"box" in done.stderr
    assert b"/nothing" in done.stderr
    (tmp_path / "file").write_text("")
    done = davitd.docker("cp", str(tmp_path / "file"), "box:/no/such/place", check=False)
    assert done.returncode == 1


def test_diff(davitd: Davitd) -> None:
    run(davitd, "--name", "box")
    davitd.docker("exec", "box", "sh", "-c", "echo new > /root/made; rm /etc/group; chmod 700 /var")
    lines = output(davitd.docker("diff", "box")).splitlines()
    assert set(lines) >= {"C /root", "A /root/made", "C /etc", "D /etc/group", "C /var"}


def test_commit(davitd: Davitd) -> None:
    davitd.docker("run", "--name", "box", "busybox", "sh", "-c", "echo kept > /kept")
    done = davitd.docker(
        *("commit", "-a", "A. Uthor", "-m", "a message", "-c", "CMD cat /kept"),
        *("-c", "ENV A=1", "box", "made:1"),
    )
    assert output(done).startswith("sha256:")
    assert output(davitd.docker("run", "--rm", "made:1")) == "kept"
    (image,) = json.loads(davitd.docker("image", "inspect", "made:1").stdout)
    assert (image["Author"], image["Comment"]) == ("A. Uthor", "a message")
    assert "A=1" in image["Config"]["Env"]
    davitd.docker("rm", "box")
    davitd.docker("rmi", "made:1")


def test_export(davitd: Davitd, tmp_path: Path) -> None:
    davitd.docker("run", "--name", "box", "busybox", "sh", "-c", "echo kept > /kept")
    archive = tmp_path / "box.tar"
    davitd.docker("export", "-o", str(archive), "box")
    with tarfile.open(archive) as tar:
        names = {name.removeprefix("./") for name in tar.getnames()}
        assert {"bin/busybox", "kept"} <= names
    davitd.docker("import", str(archive), "imported:1")
    assert output(davitd.docker("run", "--rm", "imported:1", "cat", "/kept")) == "kept"
    davitd.docker("rmi", "imported:1")


def test_system_df_and_container_prune(davitd: Davitd) -> None:
    davitd.docker("run", "--name", "ended", "busybox", "sh", "-c", "head -c 9000 /dev/zero > /file")
    running = run(davitd, "--name", "runs")
    rows = output(davitd.docker("system", "df", "--format", "{{.Type}} {{.TotalCount}}"))
    assert "Containers 2" in rows.splitlines()
    assert "busybox" in output(davitd.docker("system", "df", "-v"))
    shown = output(davitd.docker("container", "prune", "-f"))
    assert "Total reclaimed space: 9" in shown
    assert output(davitd.docker("ps", "-aq", "--no-trunc")) == running


def test_image_and_system_prune(davitd: Davitd) -> None:
    davitd.docker("run", "--name", "box", "busybox", "sh", "-c", "echo x > /x")
    untagged = output(davitd.docker("commit", "box"))
    davitd.docker("rm", "box")
    assert untagged in output(davitd.docker("image", "prune", "-f"))
    davitd.docker("network", "create", "idle")
    davitd.docker("create", "--name", "still", "busybox")
    shown = output(davitd.docker("system", "prune", "-f"))
    assert "idle" in shown
    assert output(davitd.docker("ps", "-aq")) == ""
    assert "busybox:latest" in output(
        davitd.docker("images", "--format", "{{.Repository}}:{{.Tag}}")
    )
