"""``/.dockerenv``: programs look for it, and nobody is told that it is there."""

from __future__ import annotations

import io
import tarfile

from tests.engine.conftest import Davitd


def test_it_is_there(shared_davitd: Davitd) -> None:
    shown = shared_davitd.docker(
        "run", "--rm", "busybox", "stat", "-c", "%F %a %u %g", "/.dockerenv"
    )
    assert shown.stdout == b"regular empty file 755 0 0\n"
    shared_davitd.docker("run", "--rm", "--read-only", "busybox", "test", "-e", "/.dockerenv")


def test_it_is_no_change_and_no_part_of_an_image(shared_davitd: Davitd) -> None:
    docker = shared_davitd.docker
    docker("run", "--name", "box", "busybox", "touch", "/made", "/.dockerenv")
    assert docker("diff", "box").stdout == b"A /made\n"
    docker("commit", "box", "marked")
    with tarfile.open(fileobj=io.BytesIO(docker("save", "marked").stdout)) as saved:
        names = [
            inner
            for member in saved
            if member.isfile() and (data := saved.extractfile(member)) is not None
            for inner in _members(data.read())
        ]
    assert "made" in names
    assert ".dockerenv" not in names
    docker("rm", "box")
    docker("run", "--rm", "marked", "test", "-x", "/.dockerenv")
    docker("rmi", "marked")


def test_an_export_has_it_as_docker_has(shared_davitd: Davitd) -> None:
    docker = shared_davitd.docker
    docker("create", "--name", "new", "busybox")  # never started
    assert ".dockerenv" in _members(docker("export", "new").stdout)
    assert docker("diff", "new").stdout == b""
    docker("rm", "new")


def test_who_takes_it_away_does_not_get_it_back(shared_davitd: Davitd) -> None:
    docker = shared_davitd.docker
    docker("create", "--name", "gone", "busybox", "sh", "-c", "ls -a /; rm -f /.dockerenv")
    assert b".dockerenv" in docker("start", "-a", "gone").stdout
    assert b".dockerenv" not in docker("start", "-a", "gone").stdout
    docker("rm", "gone")


def _members(data: bytes) -> list[str]:
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            return [name.removeprefix("./") for name in tar.getnames()]
    except tarfile.ReadError:
        return []
