"""Contexts, and what ADD takes, from the web and from git."""

from __future__ import annotations

import gzip
import os
import subprocess
from pathlib import Path

import pytest

from tests.engine.services.build.conftest import Builder, Result, context

DOCKERFILE = "FROM busybox\nCOPY . /all\n"


def build(builder: Builder, remote: str, **query: str) -> Result:
    return builder.build("", query={"remote": remote, **query})


def git(directory: Path, *words: str) -> str:
    names = ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL")
    done = subprocess.run(
        ["git", "-c", "init.defaultBranch=main", "-C", str(directory), *words],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **dict.fromkeys(names, "someone")},
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> str:
    """A repository that a plain web server can serve; returns its first commit."""
    work = tmp_path / "work"
    (work / "sub").mkdir(parents=True)
    git(work, "init")
    (work / "Dockerfile").write_text(DOCKERFILE)
    (work / "sub/Dockerfile").write_text(DOCKERFILE)
    (work / "sub/file").write_text("old")
    git(work, "add", ".")
    git(work, "commit", "-m", "first")
    first = git(work, "rev-parse", "HEAD")
    git(work, "branch", "side")
    (work / "sub/file").write_text("new")
    (work / "out").symlink_to("/")
    git(work, "add", ".")
    git(work, "commit", "-m", "second")
    git(tmp_path, "clone", "--bare", str(work), str(tmp_path / "repository.git"))
    git(tmp_path / "repository.git", "update-server-info")
    return first


@pytest.mark.parametrize(
    ("fragment", "content", "place"),
    [
        ("", "new", "/all/sub/file"),
        ("#side", "old", "/all/sub/file"),
        ("#main:sub", "new", "/all/file"),
    ],
)
def test_git(
    builder: Builder, web: str, repository: str, fragment: str, content: str, place: str
) -> None:
    result = build(builder, f"{web}/repository.git{fragment}", t="git")
    assert result.error == ""
    assert builder.run("git", "cat", place) == content
    assert builder.run("git", "ls", "-A", "/all").split().count(".git") == 0


def test_a_commit(builder: Builder, web: str, repository: str) -> None:
    assert build(builder, f"{web}/repository.git#{repository}", t="commit").error == ""
    assert builder.run("commit", "cat", "/all/sub/file") == "old"


@pytest.mark.parametrize(
    ("fragment", "error"),
    [
        ("#none", "failed to fetch the git repository"),
        ("#main:none", "No such file"),
        ("#main:out/etc", "No such file"),
        ("#--upload-pack=x", "invalid git reference"),
    ],
)
def test_what_git_does_not_have(
    builder: Builder, web: str, repository: str, fragment: str, error: str
) -> None:
    result = build(builder, f"{web}/repository.git{fragment}")
    assert (result.answer.status, error in result.error) == (400, True), result.error


def test_add_from_git(builder: Builder, web: str, repository: str) -> None:
    lines = [
        f"ADD {web}/repository.git#side:sub /sub",
        f"ADD --keep-git-dir {web}/repository.git /r",
    ]
    result = builder.build("\n".join(["FROM busybox", *lines]), t="from-git")
    assert result.error == ""
    assert builder.run("from-git", "cat", "/sub/file", "/r/sub/file") == "oldnew"
    assert ".git" in builder.run("from-git", "ls", "-A", "/r").split()


def test_an_archive_or_a_dockerfile_from_the_web(
    builder: Builder, web: str, tmp_path: Path
) -> None:
    (tmp_path / "context.tar.gz").write_bytes(gzip.compress(context(DOCKERFILE, {"x": "from web"})))
    assert build(builder, f"{web}/context.tar.gz", t="web").error == ""
    assert builder.run("web", "cat", "/all/x") == "from web"
    (tmp_path / "plain").write_text("FROM busybox\nENV A=plain\n")
    result = build(builder, f"{web}/plain")
    assert "A=plain" in builder.config(result.id)["Env"]
