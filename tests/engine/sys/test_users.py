"""Users and groups of images, also of images that mean harm."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from davit.errors import InvalidParameter
from davit.model.host import ResolvedUser
from davit.sys import users

PASSWD = """\
# a comment
root:x:0:0:root:/root:/bin/sh
web:x:33:34::/var/www:/bin/sh
nohome:x:40:41:::/bin/sh
+broken
1000:x:7:8::/seven:/bin/sh
"""
GROUP = """\
root:x:0:
web:x:34:
disk:x:6:root,web
audio:x:29:web
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/passwd").write_text(PASSWD)
    (root / "etc/group").write_text(GROUP)
    return root


@pytest.mark.parametrize(
    ("user", "uid", "gid", "additional", "home"),
    [
        ("", 0, 0, [0, 6], "/root"),
        ("root", 0, 0, [0, 6], "/root"),
        ("web", 33, 34, [34, 6, 29], "/var/www"),
        ("33", 33, 34, [34, 6, 29], "/var/www"),
        ("web:disk", 33, 6, [6], "/var/www"),
        ("web:1234", 33, 1234, [1234], "/var/www"),
        ("nohome", 40, 41, [41], "/"),
        ("5000", 5000, 0, [0], "/"),
        ("5000:5001", 5000, 5001, [5001], "/"),
        ("1000", 7, 8, [8], "/seven"),
    ],
)
def test_a_user(
    root: Path, user: str, uid: int, gid: int, additional: list[int], home: str
) -> None:
    assert users.resolve(root, user) == ResolvedUser(
        uid=uid, gid=gid, additional_gids=additional, home=home
    )


def test_further_groups_by_name_and_number(root: Path) -> None:
    assert users.resolve(root, "web", ["audio", "77"]).additional_gids == [34, 6, 29, 77]


def test_numbers_need_no_files(tmp_path: Path) -> None:
    assert users.resolve(tmp_path, "12:13").uid == 12
    assert users.resolve(tmp_path, "").home == "/"


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ("nobody", "unable to find user nobody: no matching entries in passwd file"),
        ("web:none", "unable to find group none: no matching entries in group file"),
        ("4294967296", "invalid user or group ID '4294967296'"),
        ("-1", "unable to find user -1"),
    ],
)
def test_an_unknown_user_is_refused(root: Path, user: str, words: str) -> None:
    with pytest.raises(InvalidParameter, match=words):
        users.resolve(root, user)


def test_links_stay_inside_the_root(tmp_path: Path, root: Path) -> None:
    outside = tmp_path / "passwd"
    outside.write_text("evil:x:666:666::/:/bin/sh\n")
    (root / "etc/passwd").unlink()
    for target in (str(outside), "../../passwd", "../../../../../" + str(outside)):
        (root / "etc/passwd").symlink_to(target)
        with pytest.raises(InvalidParameter):
            users.resolve(root, "evil")
        (root / "etc/passwd").unlink()
    # A link is as good as a file, when it is read as the container would.
    (root / "data").mkdir()
    (root / "data/users").write_text("good:x:9:9::/:/bin/sh\n")
    (root / "etc/passwd").symlink_to("/data/users")
    assert users.resolve(root, "good").uid == 9


def test_a_directory_that_is_a_link_stays_inside(tmp_path: Path, root: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("evil:x:666:666::/:/bin/sh\n")
    (root / "etc").rename(root / "moved")
    (root / "etc").symlink_to("../etc")
    with pytest.raises(InvalidParameter):
        users.resolve(root, "evil")


def test_links_in_circles_and_fifos_end(root: Path) -> None:
    (root / "etc/passwd").unlink()
    (root / "etc/passwd").symlink_to("passwd")
    (root / "etc/group").unlink()
    os.mkfifo(root / "etc/group")
    assert users.resolve(root, "5:6") == ResolvedUser(uid=5, gid=6, additional_gids=[6], home="/")
