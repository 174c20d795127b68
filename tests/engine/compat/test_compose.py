"""docker-compose, as the distribution ships it (1.29 or 2), runs a project of three services."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.compat.cli import fetch
from tests.engine.conftest import Davitd, new_davitd

PROJECT = """\
version: "3.8"
services:
  store:
    image: busybox
    command: [sh, -c, "sleep 1; touch /data/ready; exec sleep 600"]
    healthcheck:
      test: [CMD, test, -e, /data/ready]
      interval: 200ms
      retries: 100
    networks: [back]
    volumes: ["data:/data"]
    tmpfs: ["/scratch:size=1m"]
    stop_grace_period: 0s
  web:
    image: busybox
    command: [sh, -c, "env; exec httpd -f -p 80 -h /data"]
    depends_on:
      store:
        condition: service_healthy
    env_file: [web.env]
    environment:
      FROM_SHELL: ${FROM_SHELL}
    labels: {tier: front}
    networks:
      back: {aliases: [site]}
      front: {}
    ports: ["127.0.0.1:32195:80"]
    secrets: [password]
    volumes: ["data:/data:ro"]
    stop_grace_period: 0s
  worker:
    image: busybox
    command: [sh, -c, "while :; do sleep 0.1; done"]
    depends_on: [web]
    networks: [back]
    stop_grace_period: 0s
networks:
  back:
    internal: true
  front: {}
secrets:
  password: {file: ./password}
volumes:
  data: {}
"""


class Project:
    """A Compose project in a directory, and the tool that drives it."""

    def __init__(self, davitd: Davitd, directory: Path) -> None:
        self.davitd = davitd
        self._directory = directory
        (directory / "web.env").write_text("FROM_FILE=said\n")
        (directory / "password").write_text("sesame")
        self.write(PROJECT)

    def write(self, text: str) -> None:
        (self._directory / "docker-compose.yml").write_text(text)

    def __call__(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            ["docker-compose", *arguments],
            cwd=self._directory,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
            env={
                **os.environ,
                "COLUMNS": "200",  # or it breaks lines within an address
                "DOCKER_HOST": f"unix://{self.davitd.socket}",
                "DOCKER_CONFIG": str(self.davitd.root / "docker"),
                "COMPOSE_PROJECT_NAME": "harbour",
                "FROM_SHELL": "whispered",
            },
        )
        if check and done.returncode:
            raise AssertionError(f"{arguments}: {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def containers(self) -> dict[str, str]:
        """ID by name, of all."""
        shown = self.davitd.docker(
            "ps", "-a", "--no-trunc", "--format", "{{.Names}} {{.ID}}"
        ).stdout
        return dict(line.split() for line in shown.decode().splitlines())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The project, up; at the end it is taken down, and the daemon checks what is left."""
    assert shutil.which("docker-compose"), "install docker-compose: make peer-deps"
    with new_davitd() as davitd:
        davitd.load_busybox()
        up = Project(davitd, tmp_path_factory.mktemp("compose"))
        up("up", "-d")
        yield up
        up("down", "-v", "-t", "0")
        assert up.containers() == {}
        left = davitd.docker("network", "ls", "--format", "{{.Name}}").stdout.split()
        assert sorted(left) == [b"bridge", b"host", b"none"]
        assert davitd.docker("volume", "ls", "-q").stdout == b""


def name(project: Project, service: str, number: int = 1) -> str:
    """The container's name: 1.29 joins by underscores, 2 by hyphens."""
    (found,) = (
        n for n in project.containers() if re.fullmatch(f"harbour[-_]{service}[-_]{number}", n)
    )
    return found


def test_up_waited_for_health(project: Project) -> None:
    assert len(project.containers()) == 3
    shown = project.davitd.docker("inspect", name(project, "store"), name(project, "web")).stdout
    store, web = json.loads(shown)
    assert store["State"]["Health"]["Status"] == "healthy"
    healthy = [entry["End"] for entry in store["State"]["Health"]["Log"] if not entry["ExitCode"]]
    assert healthy
    assert web["State"]["StartedAt"] > store["State"]["StartedAt"]
    assert fetch("http://127.0.0.1:32195/ready") == ""


def test_a_second_up_recreates_nothing(project: Project) -> None:
    before = project.containers()
    project("up", "-d")
    assert project.containers() == before


def test_ps_and_config(project: Project) -> None:
    shown = project("ps")
    assert shown.count("Up") == 3
    assert "(healthy)" in shown
    assert "127.0.0.1:32195->80/tcp" in shown
    assert set(project("ps", "--services").split()) == {"store", "web", "worker"}
    assert len(project("ps", "-q").split()) == 3


def test_environment_and_logs(project: Project) -> None:
    shown = project("logs", "--no-color", "web")
    assert "FROM_FILE=said" in shown
    assert "FROM_SHELL=whispered" in shown


def test_exec_secrets_networks_tmpfs(project: Project) -> None:
    assert project("exec", "-T", "web", "cat", "/run/secrets/password") == "sesame"
    assert "/scratch" in project("exec", "-T", "store", "cat", "/proc/mounts")
    assert project("exec", "-T", "worker", "wget", "-qO-", "http://site/ready") == ""
    assert project("exec", "-T", "store", "nslookup", "-type=a", "web").count("Address") > 1
    # The back network is internal: no way out of it.
    routes = project("exec", "-T", "worker", "ip", "route")
    assert "default" not in routes


def test_run(project: Project) -> None:
    assert project("run", "--rm", "-T", "--no-deps", "web", "echo", "once").strip() == "once"
    assert len(project.containers()) == 3


def test_port_and_top(project: Project) -> None:
    assert project("port", "web", "80").strip() == "127.0.0.1:32195"
    assert "httpd" in project("top", "web")


def test_pause_stop_start_restart_kill(project: Project) -> None:
    before = project.containers()
    project("pause", "worker")
    assert "Paused" in project("ps", "worker") or "paused" in project("ps", "worker").lower()
    project("unpause", "worker")
    project("restart", "-t", "0", "worker")
    project("stop", "-t", "0", "worker")
    project("start", "worker")
    project("kill", "-s", "KILL", "worker")
    project("up", "-d")
    assert project.containers() == before


def test_scale(project: Project) -> None:
    project("up", "-d", "--scale", "worker=3")
    assert len(project.containers()) == 5
    resolved = project("exec", "-T", "web", "nslookup", "-type=a", "worker")
    assert len(set(re.findall(r"Address: *([0-9.]+)\n", resolved))) == 3
    project("up", "-d", "--scale", "worker=1")
    assert len(project.containers()) == 3


def test_a_change_recreates_one_service(project: Project) -> None:
    before = project.containers()
    project.write(PROJECT.replace("tier: front", "tier: changed"))
    project("up", "-d")
    after = project.containers()
    changed = [which for which in before if before[which] != after[which]]
    assert changed == [name(project, "web")]
    label = project.davitd.docker("inspect", "-f", "{{.Config.Labels.tier}}", *changed)
    assert label.stdout == b"changed\n"
    # The volume has outlived its container.
    assert fetch("http://127.0.0.1:32195/ready") == ""
