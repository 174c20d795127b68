# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Contexts of builds: what is in them, and when they are the same."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from ansible_collections.davit.fleet.plugins.module_utils import _context
from ansible_collections.davit.fleet.plugins.module_utils._errors import Invalid


def fill(root: Path, *paths: str) -> Path:
    for name in ("Dockerfile", *paths):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def packed(root: Path, dockerfile: str = "Dockerfile") -> list[str]:
    file = root.parent / "context.tar.gz"
    with file.open("wb") as target:
        _context.pack(str(root), dockerfile, target)
    with tarfile.open(file) as archive:
        return [f"{member.name}/" if member.isdir() else member.name for member in archive]


@pytest.mark.parametrize(
    ("text", "path", "ignored"),
    [
        ("*.log", "a.log", True),
        ("*.log", "sub/a.log", False),
        ("*/*.log", "sub/a.log", True),
        ("**/*.log", "a.log", True),
        ("**/*.log", "x/y/a.log", True),
        ("sub", "sub/deep/file", True),
        ("/sub/", "sub/file", True),
        ("./sub", "sub", True),
        ("sub", "subway", False),
        ("sub/**", "sub/deep/file", True),
        ("sub/**", "sub", False),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[a-c]x", "bx", True),
        ("[^a-c]x", "bx", False),
        (r"a\*c", "abc", False),
        (r"a\*c", "a*c", True),
        ("# a", "# a", False),
        ("*\n!keep", "keep", False),
        ("*\n!keep", "other", True),
        ("sub\n!sub/keep", "sub/keep", False),
        # The last that fits counts.
        ("!keep\n*", "keep", True),
        ("a.b", "axb", False),
    ],
)
def test_rules(text: str, path: str, ignored: bool) -> None:
    assert _context.is_ignored(path, _context.rules(text)) is ignored


def test_wrong_pattern() -> None:
    with pytest.raises(Invalid, match=r"wrong pattern: \[a"):
        _context.rules("[a")


def test_what_is_packed(tmp_path: Path) -> None:
    root = fill(tmp_path / "c", "app/main", "app/test/t", "notes/a", "notes/keep", "x.log")
    (root / "link").symlink_to("/nowhere")
    (root / ".dockerignore").write_text("**/test\nnotes/*\n!notes/keep\n*.log\nDockerfile\n")
    os.mkfifo(root / "pipe")
    # The engine wants the Dockerfile and the rules, even where they are not for the image.
    assert packed(root) == [
        *(".dockerignore", "Dockerfile", "app/", "app/main", "link", "notes/", "notes/keep"),
    ]


def test_dockerfile_in_a_directory_that_is_left_out(tmp_path: Path) -> None:
    root = fill(tmp_path / "c", "deploy/web.Dockerfile", "deploy/secret")
    (root / ".dockerignore").write_text("deploy\n")
    assert packed(root, "deploy/web.Dockerfile") == [
        *(".dockerignore", "Dockerfile", "deploy/web.Dockerfile"),
    ]


def test_hard_links_and_owners(tmp_path: Path) -> None:
    root = fill(tmp_path / "c", "one")
    (root / "two").hardlink_to(root / "one")
    packed(root)
    with tarfile.open(tmp_path / "context.tar.gz") as archive:
        two = archive.getmember("two")
        content = archive.extractfile(two)
        assert (two.isreg(), two.uid, two.uname, content and content.read()) == (
            *(True, 0, "", b"one"),
        )


def test_digest_is_of_what_a_build_can_see(tmp_path: Path) -> None:
    root = fill(tmp_path / "c", "app", "x.log")
    (root / ".dockerignore").write_text("*.log")

    def digest() -> str:
        return _context.digest(str(root), "Dockerfile")

    first = digest()
    os.utime(root / "app", (1, 1))
    (root / "x.log").write_text("more")
    assert digest() == first
    seen = {first}
    (root / "app").chmod(0o755)
    seen.add(digest())
    (root / "app").write_text("new")
    seen.add(digest())
    (root / "empty").mkdir()
    seen.add(digest())
    (root / "link").symlink_to("app")
    seen.add(digest())
    (root / "link").unlink()
    (root / "link").symlink_to("empty")
    seen.add(digest())
    assert len(seen) == 6


@pytest.mark.parametrize("dockerfile", ["none", "/etc/passwd", "."])
def test_dockerfile_that_is_not_there(tmp_path: Path, dockerfile: str) -> None:
    with pytest.raises(Invalid, match=r"^dockerfile"):
        _context.digest(str(fill(tmp_path / "c")), dockerfile)
