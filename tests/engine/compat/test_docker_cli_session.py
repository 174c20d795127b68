"""``docker build`` with BuildKit's client, as the Docker CLI has it built in (before 23).

The files, secrets, SSH agents and credentials come over the client's session.
"""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from davit.drivers.registry.auth import Credentials
from tests.engine.compat.cli import Terminal, programs
from tests.engine.conftest import Davitd
from tests.engine.imagekit import busybox, files
from tests.engine.registrykit import PASSWORD, USER, Shelf, registry
from tests.engine.services.build.test_end import left, until

_BUILT_IN = [path for version, path in programs().items() if int(version.partition(".")[0]) < 23]
pytestmark = pytest.mark.skipif(not _BUILT_IN, reason="Docker CLIs from 23 on need a plugin")


@pytest.fixture
def davitd(shared_davitd: Davitd, monkeypatch: pytest.MonkeyPatch) -> Davitd:
    monkeypatch.setenv("DOCKER_BUILDKIT", "1")
    shared_davitd.cli = _BUILT_IN[0]
    return shared_davitd


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A real SSH agent; gives the fingerprint of its one key."""
    key, path = tmp_path / "key", tmp_path / "agent"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    serving = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    try:
        until(path.exists)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        subprocess.run(["ssh-add", "-q", key], check=True)
        shown = subprocess.run(["ssh-keygen", "-lf", key], check=True, capture_output=True)
        yield shown.stdout.split()[1].decode()
    finally:
        serving.terminate()
        serving.wait()


def build(davitd: Davitd, *arguments: str | Path, **more: Any) -> str:
    """Build and return what the client has shown."""
    words = [str(argument) for argument in arguments]
    done = davitd.docker("build", "--progress=plain", *words, **more)
    return done.stderr.decode()


def run(davitd: Davitd, image: str, *command: str) -> str:
    return davitd.docker("run", "--rm", image, *command).stdout.decode()


def test_the_same_image_as_of_a_classic_build(
    davitd: Davitd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub/deep").mkdir(parents=True)
    (tmp_path / "sub/deep/tool").write_text("#!/bin/sh\n")
    (tmp_path / "sub/deep/tool").chmod(0o4755)
    (tmp_path / "sub/empty").touch()
    (tmp_path / "sub/grüße").write_text("ü")
    (tmp_path / "sub").chmod(0o1770)
    (tmp_path / "link").symlink_to("sub/deep/tool")
    (tmp_path / "big").write_bytes(os.urandom(5 << 20))
    os.link(tmp_path / "big", tmp_path / "hard")
    os.mkfifo(tmp_path / "pipe")
    for name in ("no.log", "sub/no.log", "sub/yes.log"):
        (tmp_path / name).touch()
    (tmp_path / ".dockerignore").write_text("# logs\n**/*.log\n!sub/yes.log\nü\n\n")
    (tmp_path / "Dockerfile").write_text("FROM busybox\nCOPY . /all\nRUN find /all\n")
    said = build(davitd, "-t", "session:1", tmp_path)
    assert "[internal] load build context" in said
    assert "transferring context: 5.2" in said
    found = {line.split()[-1] for line in said.splitlines() if " /all" in line}
    assert {"/all/sub/yes.log", "/all/pipe", "/all/sub/grüße"} <= found
    assert "/all/no.log" not in found
    assert "/all/sub/no.log" not in found
    shown = run(davitd, "session:1", "stat", "-c", "%a %N", "/all/sub/deep/tool", "/all/link")
    assert shown == "4755 /all/sub/deep/tool\n777 '/all/link' -> 'sub/deep/tool'\n"
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")
    classic = davitd.docker("build", "-q", str(tmp_path)).stdout
    assert classic == davitd.docker("inspect", "-f", "{{.Id}}", "session:1").stdout


def test_sources_of_the_cache(davitd: Davitd) -> None:
    """An image that lends its steps does so in addition; one that is not here is told."""
    dockerfile = b"FROM busybox\nRUN echo cached > /by-session\n"
    build(davitd, "-", stdin=dockerfile)
    options = ["--cache-from", "nowhere:1", "--cache-from", "busybox"]
    said = build(davitd, *options, "-", stdin=dockerfile)
    assert "importing cache manifest from busybox" in said
    assert said.count("this engine has no such image") == 1
    assert "warning: --cache-from nowhere:1 is ignored" in said
    assert said.count("CACHED") == 1


def test_secrets(davitd: Davitd, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("not to be kept\n")
    dockerfile = b"FROM busybox\nRUN --mount=type=secret,id=token,required cat /run/secrets/token\n"
    option = f"id=token,src={tmp_path / 'token'}"
    assert "not to be kept" in build(davitd, "--secret", option, "-", stdin=dockerfile)
    done = davitd.docker("build", "--no-cache", "-", stdin=dockerfile, check=False)
    assert done.returncode == 1
    assert b"secret token: not found: pass it with --secret id=token" in done.stderr


def test_ssh_agents(davitd: Davitd, agent: str, tmp_path: Path) -> None:
    program = shutil.which("ssh-add")
    assert program is not None
    needed = subprocess.run(["ldd", program], capture_output=True, check=True, text=True).stdout
    libraries = [word for word in needed.split() if word.startswith("/")]
    for path in (program, *libraries):
        place = tmp_path / "context" / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    (tmp_path / "context/Dockerfile").write_text(
        f"FROM busybox\nCOPY . /\nRUN --mount=type=ssh,required {program} -l && {program} -l\n"
        f"USER user\nRUN --mount=type=ssh,id=default,uid=1000,target=/tmp/a {program} -l\n"
        "RUN echo left: $SSH_AUTH_SOCK:$(ls /tmp)\n"
    )
    said = build(davitd, "--ssh", "default", tmp_path / "context")
    assert said.count(agent) == 3
    assert "left: :" in said
    done = davitd.docker("build", "--no-cache", str(tmp_path / "context"), check=False)
    assert done.returncode == 1
    assert b"SSH agent default: the client does not lend it" in done.stderr
    assert list((davitd.run / "secrets").iterdir()) == []


def test_credentials(davitd: Davitd, tmp_path: Path) -> None:
    config = davitd.root / "docker" / "config.json"
    config.parent.mkdir(exist_ok=True)
    with registry(tmp_path, auth=True) as address:
        credentials = Credentials(USER, PASSWORD)
        shelf = Shelf(address, "box", {"Authorization": credentials.basic})
        shelf.image("1", busybox(extra=[files({"v": "private"})]))
        dockerfile = f"FROM {shelf.name}:1\nRUN cat /v\n".encode()
        done = davitd.docker("build", "-", stdin=dockerfile, check=False)
        assert b"no basic auth credentials" in done.stderr
        text = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        config.write_text(json.dumps({"auths": {address: {"auth": text}}}))
        try:
            assert " private" in build(davitd, "-", stdin=dockerfile)
        finally:
            config.unlink()


def test_where_dockerfile_and_context_come_from(davitd: Davitd, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.txt").write_text("a")
    (source / "a.txt.no").write_text("a")
    outside = tmp_path / "outside.Dockerfile"
    outside.write_text('FROM busybox\nCOPY . /all\nCMD [ "ls", "/all" ]\n')
    (tmp_path / "outside.Dockerfile.dockerignore").write_text("*.no\n")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.add(source / "a.txt", "a.txt")
        tar.add(outside, "sub/Dockerfile")
    for arguments, stdin, shows in (
        (["-"], b"FROM busybox\nCMD echo alone\n", "alone\n"),
        (["-f", "-", str(source)], b"FROM busybox\nCOPY a.txt /\nCMD cat /a.txt\n", "a"),
        (["-f", str(outside), str(source)], b"", "a.txt\n"),
        (["-f", "sub/Dockerfile", "-"], archive.getvalue(), "a.txt\nsub\n"),
    ):
        built = davitd.docker("build", "-q", *arguments, stdin=stdin).stdout.decode().strip()
        assert run(davitd, built) == shows
    done = davitd.docker("build", "-f", str(source / "none"), str(source), check=False)
    assert done.returncode
    assert b"no such file or directory" in done.stderr


def test_options(davitd: Davitd, tmp_path: Path) -> None:
    dockerfile = b"""\
FROM busybox AS first
ARG NAME=world
RUN echo "hello $NAME"; cat /etc/hosts; ls /sys/class/net
FROM first AS second
RUN exit 9
"""
    options = ["--build-arg", "NAME=davit", "--target", "first", "--label", "a=b c", "--pull=false"]
    options += ["--add-host", "box:10.1.2.3", "--network", "none", "--iidfile", f"{tmp_path}/id"]
    said = build(davitd, *options, "-t", "opted:1", "-t", "opted:2", "-", stdin=dockerfile)
    assert "hello davit" in said
    assert "10.1.2.3\tbox" in said
    assert "eth0" not in said
    image = (tmp_path / "id").read_text()
    labels = davitd.docker("inspect", "-f", "{{.Id}} {{.Config.Labels.a}}", "opted:2").stdout
    assert labels.decode() == f"{image} b c\n"
    assert build(davitd, *options, "-", stdin=dockerfile).count("CACHED") == 3
    assert "CACHED" not in build(davitd, *options, "--no-cache", "-", stdin=dockerfile)
    done = davitd.docker("build", "-o", str(tmp_path), "-", stdin=dockerfile, check=False)
    assert done.returncode == 1
    assert b"builds end as an image of this engine" in done.stderr


def test_a_command_that_fails(davitd: Davitd) -> None:
    dockerfile = b"FROM busybox\nRUN echo why >&2 && exit 7\n"
    done = davitd.docker("build", "--progress=plain", "-", stdin=dockerfile, check=False)
    said = done.stderr.decode()
    assert done.returncode == 1
    assert " why\n" in said
    failure = 'process "/bin/sh -c echo why >&2 && exit 7" did not complete successfully: exit code'
    assert f"ERROR: {failure}: 7\n" in said
    assert said.endswith(f"failed to solve: {failure}: 7\n")
    assert davitd.docker("ps", "-aq").stdout == b""


def test_on_a_terminal(davitd: Davitd, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo 1 > /drawn\n")
    terminal = Terminal(davitd, "build", "-t", "drawn", str(tmp_path))
    terminal.expect("[2/2] RUN echo 1")
    terminal.expect("naming to")
    assert terminal.end() == 0
    assert run(davitd, "drawn", "cat", "/drawn") == "1\n"


def test_two_builds_at_once(davitd: Davitd) -> None:
    dockerfile = b"FROM busybox\nARG N\nRUN sleep 1; echo number $N\n"

    def one(number: int) -> str:
        return build(davitd, "--build-arg", f"N={number}", "-", stdin=dockerfile)

    with ThreadPoolExecutor() as pool:
        first, second = pool.map(one, (1, 2))
    assert "number 1" in first
    assert "number 2" in second
    assert "number 2" not in first


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "stopped"])
def test_a_client_that_goes_ends_the_build(
    davitd: Davitd, agent: str, tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "token").write_text("x")
    (tmp_path / "Dockerfile").write_text(
        "FROM busybox\nRUN --mount=type=ssh --mount=type=secret,id=t sleep 600\n"
    )
    options = ["--ssh", "default", "--secret", f"id=t,src={tmp_path / 'token'}"]
    client = subprocess.Popen(
        [davitd.cli, "-H", f"unix://{davitd.socket}", "build", *options, str(tmp_path)],
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: bool(davitd.client.get("/containers/json").json))
        assert len(list((davitd.run / "secrets").iterdir())) == 2
    finally:
        client.send_signal(number)
        client.wait(30)
    until(lambda: not left(davitd))
