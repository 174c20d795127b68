"""``docker buildx build``: BuildKit's control API and a session."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.engine.compat.buildx import plugin
from tests.engine.compat.cli import programs
from tests.engine.conftest import Davitd
from tests.engine.services.build.test_end import left, until

# The plugin of 2024 speaks to a CLI of its time at least.
_NEW = [path for version, path in programs().items() if int(version.partition(".")[0]) >= 23]
pytestmark = pytest.mark.skipif(not _NEW, reason="Docker's CLI is too old on this machine")

DOCKERFILE = """\
FROM busybox AS first
ARG NAME=world
COPY . /files
RUN --mount=type=secret,id=token,required \\
    echo "hello $NAME"; ls /files; cat /etc/hosts /run/secrets/token; ls /sys/class/net; ulimit -n
FROM first AS second
RUN echo why >&2 && exit 7
"""


@pytest.fixture
def davitd(shared_davitd: Davitd) -> Davitd:
    program = plugin()
    if program is None:
        pytest.skip("buildx is neither installed nor in a Debian mirror of this machine")
    shared_davitd.cli = _NEW[0]
    plugins = shared_davitd.root / "docker" / "cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    if not (plugins / "docker-buildx").exists():
        (plugins / "docker-buildx").symlink_to(program)
    return shared_davitd


@pytest.fixture
def source(tmp_path: Path) -> Path:
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(DOCKERFILE)
    (context / "a.txt").write_text("a")
    (context / "no.log").write_text("a")
    (context / ".dockerignore").write_text("*.log\n")
    (tmp_path / "token").write_text("not to be kept\n")
    return context


def test_build(davitd: Davitd, source: Path) -> None:
    options = ["--build-arg", "NAME=davit", "--target", "first", "--label", "a=b c"]
    options += ["--secret", f"id=token,src={source.parent / 'token'}", "--ulimit", "nofile=77:78"]
    options += ["--add-host", "box:10.1.2.3", "--network", "none", "-t", "bx:1", "-t", "bx:2"]
    options += ["--iidfile", str(source.parent / "id"), str(source)]
    plain = ["buildx", "build", "--progress=plain", *options]
    said = davitd.docker(*plain).stderr.decode()
    for shown in ("hello davit", "a.txt", "10.1.2.3\tbox", "not to be kept", " 77\n"):
        assert shown in said
    assert "no.log" not in said
    assert "eth0" not in said
    image = (source.parent / "id").read_text()
    labels = davitd.docker("inspect", "-f", "{{.Id}} {{.Config.Labels.a}}", "bx:2").stdout
    assert labels.decode() == f"{image} b c\n"
    assert davitd.docker(*plain).stderr.count(b"CACHED") == 4
    again = davitd.docker("buildx", "build", "-q", "--no-cache", *options).stdout.decode().strip()
    assert again.startswith("sha256:")
    assert again != image


def test_sources_of_the_cache(davitd: Davitd, source: Path) -> None:
    """An image that lends its steps does so in addition; one that is not here is told."""
    (source / "Dockerfile").write_text("FROM busybox\nRUN echo cached > /by-buildx\n")
    plain = ["buildx", "build", "--progress=plain"]
    davitd.docker(*plain, "-t", "lender:1", str(source))
    options = ["--cache-from=nowhere:1", "--cache-from=lender:1"]
    said = davitd.docker(*plain, *options, str(source)).stderr.decode()
    assert "importing cache manifest from lender:1" in said
    assert said.count("is ignored: this engine has no such image") == 1
    assert "warning: --cache-from nowhere:1 is ignored" in said
    assert said.count("CACHED") == 1


def test_failures(davitd: Davitd, source: Path) -> None:
    option = f"--secret=id=token,src={source.parent / 'token'}"
    done = davitd.docker("buildx", "build", option, str(source), check=False)
    assert done.returncode == 1
    failure = b'process "/bin/sh -c echo why >&2 && exit 7" did not complete successfully'
    assert failure in done.stderr
    assert b" why\n" in done.stderr
    for options, words in (
        (["--output", str(source.parent / "out")], b"builds end as an image of this engine"),
        (["--build-context", "other=docker-image://busybox"], b"build contexts with names"),
        (["--push", "-t", "127.0.0.1:1/x"], b"push=true: build first"),
        (["--target", "none"], b"failed to reach build target none"),
    ):
        done = davitd.docker("buildx", "build", *options, str(source), check=False)
        assert done.returncode == 1, options
        assert words in done.stderr, done.stderr


def test_a_client_that_goes_ends_the_build(davitd: Davitd, source: Path) -> None:
    (source / "Dockerfile").write_text("FROM busybox\nRUN sleep 600\n")
    client = subprocess.Popen(
        [davitd.cli, "-H", f"unix://{davitd.socket}", "buildx", "build", str(source)],
        env={"DOCKER_CONFIG": str(davitd.root / "docker"), "HOME": str(source.parent)},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        until(lambda: bool(davitd.client.get("/containers/json").json))
    finally:
        # The CLI and the plugin that it has started.
        subprocess.run(["kill", "-INT", "--", f"-{client.pid}"], check=True)
        client.wait(30)
    until(lambda: not left(davitd))
