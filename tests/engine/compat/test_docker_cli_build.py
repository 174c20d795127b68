"""``docker build`` of each Docker CLI, and docker-py's."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import BuildError

from tests.engine.conftest import Davitd

DOCKERFILE = """\
FROM busybox
ARG NAME=world
COPY . /files
RUN ls /files && echo "hello $NAME" > /greeting
CMD ["cat", "/greeting"]
"""


@pytest.fixture(autouse=True)
def classic() -> Iterator[None]:
    os.environ["DOCKER_BUILDKIT"] = "0"
    yield
    os.environ.pop("DOCKER_BUILDKIT", None)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "secret").write_text("s")
    (tmp_path / ".dockerignore").write_text("secret\nDockerfile\n.dockerignore\n")
    return tmp_path


def test_build(davitd: Davitd, source: Path) -> None:
    arguments = ("--build-arg", "NAME=davit", "-t", "cli:1", "-t", "cli:2", str(source))
    done = davitd.docker("build", "--no-cache", *arguments)
    said = done.stdout.decode()
    assert "Step 5/5 : CMD" in said
    assert "\na.txt\nRemoving intermediate container" in said
    assert "Successfully tagged cli:1\nSuccessfully tagged cli:2\n" in said
    assert davitd.docker("run", "--rm", "cli:2").stdout == b"hello davit\n"
    again = davitd.docker("build", "-q", *arguments).stdout.decode().strip()
    inspected = davitd.docker("inspect", "-f", "{{.Id}}", "cli:1").stdout.decode().strip()
    assert again == inspected
    assert davitd.docker("builder", "prune", "-af").returncode == 0


def test_the_cli_takes_the_classic_builder_by_itself(davitd: Davitd, source: Path) -> None:
    del os.environ["DOCKER_BUILDKIT"]
    assert b"Successfully built" in davitd.docker("build", str(source)).stdout


def test_the_code_of_a_command_is_the_clients(davitd: Davitd) -> None:
    dockerfile = b"FROM busybox\nRUN exit 7\n"
    done = davitd.docker("build", "--force-rm", "-", stdin=dockerfile, check=False)
    assert done.returncode == 7
    assert b"The command '/bin/sh -c exit 7' returned a non-zero code: 7" in done.stderr


def test_where_dockerfile_and_context_come_from(davitd: Davitd, source: Path) -> None:
    outside = source.parent / "outside.Dockerfile"
    outside.write_text("FROM busybox\nCOPY a.txt /outside\n")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.add(source / "a.txt", "a.txt")
        tar.add(outside, "sub/Dockerfile")
    for arguments, stdin, shows in (
        (["-"], b"FROM busybox\nCMD echo alone\n", b"alone\n"),
        (["-f", "-", str(source)], b"FROM busybox\nCOPY a.txt /\nCMD cat /a.txt\n", b"a"),
        (["-f", str(outside), str(source)], b"", b"a"),
        (["-f", "sub/Dockerfile", "-"], archive.getvalue(), b"a"),
    ):
        built = davitd.docker("build", "-q", *arguments, stdin=stdin).stdout.decode().strip()
        command = ["cat", "/outside"] if not stdin or b"FROM" not in stdin else []
        assert davitd.docker("run", "--rm", built, *command).stdout == shows


def test_options(davitd: Davitd, source: Path) -> None:
    (source / "Dockerfile").write_text(
        "FROM busybox\nRUN cat /etc/hosts; ulimit -n; ls /sys/class/net\n"
    )
    options = ["--add-host", "box:10.1.2.3", "--network", "none", "--ulimit", "nofile=77:78"]
    options += ["--label", "a=b c", "--memory", "64m", "--cpu-shares", "100", "--shm-size", "8m"]
    options += ["--isolation", "default", "--force-rm", "--iidfile", str(source / "id")]
    said = davitd.docker("build", *options, str(source)).stdout.decode()
    assert "10.1.2.3\tbox\n" in said
    assert "\n77\n" in said
    assert "eth0" not in said
    image = (source / "id").read_text()
    shown = davitd.docker("inspect", "-f", "{{json .Config.Labels}}", image).stdout
    assert json.loads(shown) == {"a": "b c"}
    davitd.docker("tag", image, "cached:1")
    again = davitd.docker("build", "--cache-from", "cached:1", *options, str(source)).stdout
    assert again.count(b"Using cache") == 2
    for refused in (["--isolation", "hyperv"], ["--network", "nowhere"], ["--squash"]):
        assert davitd.docker("build", *refused, "--no-cache", str(source), check=False).returncode


def test_disk_usage_and_pruning(davitd: Davitd) -> None:
    davitd.docker("build", "-", stdin=b"FROM busybox\nRUN echo 123 > /pruned\n")
    shown = davitd.docker("system", "df", "-v").stdout.decode()
    assert "4B" in shown.partition("Build cache usage")[2]
    pruned = davitd.docker("builder", "prune", "-f", "--filter", "until=24h").stdout
    assert b"Total" in pruned
    assert b"0B" in pruned
    pruned = davitd.docker("builder", "prune", "-af").stdout
    assert b"sha256:" in pruned


def test_docker_py(davitd: Davitd, source: Path) -> None:
    client = docker.DockerClient(f"unix://{davitd.socket}")
    try:
        image, log = client.images.build(path=str(source), tag="py:1", rm=True)
        assert image.tags == ["py:1"]
        assert {"stream": "Successfully tagged py:1\n"} in list(log)
        with pytest.raises(BuildError, match="returned a non-zero code: 3"):
            client.images.build(fileobj=io.BytesIO(b"FROM busybox\nRUN exit 3\n"), forcerm=True)
    finally:
        client.close()
