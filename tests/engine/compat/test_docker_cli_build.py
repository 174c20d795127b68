"""``docker build`` of each Docker CLI, and docker-py's."""

from __future__ import annotations

import io
import os
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
    os.environ["DOCKER_BUILDKIT"] = "1"
    done = davitd.docker("build", str(source), check=False)
    # The one has BuildKit's client built in, the other lacks the plugin here.
    assert done.returncode == 1
    assert b"set DOCKER_BUILDKIT=0" in done.stderr or b"buildx component" in done.stderr


def test_the_code_of_a_command_is_the_clients(davitd: Davitd) -> None:
    dockerfile = b"FROM busybox\nRUN exit 7\n"
    done = davitd.docker("build", "--force-rm", "-", stdin=dockerfile, check=False)
    assert done.returncode == 7
    assert b"The command '/bin/sh -c exit 7' returned a non-zero code: 7" in done.stderr


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
