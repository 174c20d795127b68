"""Services of a real manager, whose tasks are real containers here."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from davit.model.container import Container
from davit.model.swarm import JoinRequest
from davit.services.swarm.controller import TaskController
from davit.services.swarm.service import SwarmService
from davit.store.swarm import TaskStore
from davit.sys import machine
from tests.engine.services.swarm.conftest import until
from tests.engine.services.swarm.taskbed import Bed
from tests.engine.swarmbed import Manager


@pytest.fixture
async def member(bed: Bed, manager: Manager, tmp_path: Path) -> AsyncIterator[SwarmService]:
    service = SwarmService(
        tmp_path / "swarm",
        TaskStore(bed.world.database),
        lambda: (machine.read(tmp_path), ["color=blue"]),
        lambda dependencies: TaskController(bed.needs, dependencies),
    )
    await service.open()
    token = await asyncio.to_thread(manager.token)
    await service.join(JoinRequest(remote_addrs=[manager.address], join_token=token))
    node_id = service.info().node_id
    yield service
    await service.leave()
    await service.close()
    # Its tasks would wait there until it is taken for down.
    await asyncio.to_thread(manager.docker, "node", "rm", "--force", node_id)


class Services:
    """Makes services on this node."""

    def __init__(self, manager: Manager, bed: Bed) -> None:
        self.manager = manager
        self._bed = bed

    async def create(self, name: str, *arguments: str) -> None:
        place = ("--constraint", "engine.labels.color==blue", "--no-resolve-image", "--detach")
        await self.docker("service", "create", "--name", name, *place, *arguments)

    async def docker(self, *arguments: str) -> str:
        return await asyncio.to_thread(self.manager.docker, *arguments)

    async def keep(self, kind: str, name: str, data: str, *flags: str) -> None:
        command = ["docker", "-H", f"unix://{self.manager.socket}", kind, "create", *flags]

        def run() -> None:
            subprocess.run([*command, name, "-"], input=data.encode(), check=True)

        await asyncio.to_thread(run)

    async def reaches(self, name: str, state: str) -> str:
        """Wait for a task in this state, and return its error."""

        def look() -> bool:
            return state in self.manager.states(name)

        await until(look, f"{name} is {state}")
        found = [one["Status"] for one in self.manager.tasks(name)]
        return next(str(one.get("Err", "")) for one in found if one["State"] == state)

    def container(self, name: str) -> Container:
        key = "com.docker.swarm.service.name"
        rows = self._bed.world.store.all()
        return next(row for row in rows if row.config.labels.get(key) == name)


_SHOW = """
stat -c '%a %u %g' /run/secrets/key; cat /run/secrets/key /app.conf
echo $SLOT $(hostname) $(cat /proc/self/limits | grep -c 'open files *123 ')
touch /data/x /ok
exec sleep 1000
"""


async def test_a_service_with_nearly_everything(
    bed: Bed, manager: Manager, member: SwarmService
) -> None:
    services = Services(manager, bed)
    await services.keep("secret", "hush", "hush\n")
    config = 'on {{.Node.Hostname}}: {{secret "key"}}'
    await services.keep("config", "conf", config, "--template-driver", "golang")
    await services.create(
        "all",
        *("--secret", "source=hush,target=key,uid=7,gid=8,mode=0400"),
        *("--config", "source=conf,target=/app.conf"),
        *("--env", "SLOT={{.Task.Slot}}", "--hostname", "h-{{.Service.Name}}"),
        *("--publish", "mode=host,target=80", "--host", "db:10.9.8.7"),
        *("--health-cmd", "test -e /ok", "--health-interval", "50ms"),
        *("--mount", "type=volume,source=v-{{.Task.Slot}},target=/data,volume-label=a=b"),
        *("--mount", "type=tmpfs,target=/scratch,tmpfs-size=65536,tmpfs-mode=1777"),
        *("--ulimit", "nofile=123:123", "--limit-memory", "64m", "--limit-pids", "20"),
        *("--container-label", "l={{.Task.Slot}}", "--cap-drop", "NET_RAW", "--init"),
        *("--log-driver", "json-file", "--stop-grace-period", "0s", "--dns", "10.9.8.6"),
        *("busybox", "sh", "-c", _SHOW),
    )
    await services.reaches("all", "running")
    logs = await services.docker("service", "logs", "--raw", "all")
    assert logs.splitlines() == ["400 7 8", "hush", "on host1: hush", "1 h-all 1"]
    container = services.container("all")
    host = container.host_config
    assert (host.memory, host.pids_limit, host.init) == (64 << 20, 20, True)
    assert (host.cap_drop, host.dns) == (["CAP_NET_RAW"], ["10.9.8.6"])
    assert host.extra_hosts == ["db:10.9.8.7"]
    assert container.config.labels["l"] == "{{.Task.Slot}}"
    volume = bed.world.volumes.find("v-1")
    assert volume is not None
    assert volume.labels == {"a": "b"}
    status = manager.tasks("all")[0]["Status"]
    assert status["ContainerStatus"]["ContainerID"] == container.id
    assert status["ContainerStatus"]["PID"] == container.state.pid
    (port,) = status["PortStatus"]["Ports"]
    assert port["TargetPort"] == 80
    assert port["PublishedPort"] > 0
    await services.docker("service", "rm", "all")
    await until(lambda: not bed.world.store.all(), "it is gone")
    await until(lambda: not list(bed.world.paths.task_files.iterdir()), "its files are gone")
    await services.docker("secret", "rm", "hush")
    await services.docker("config", "rm", "conf")


async def test_why_tasks_fail(bed: Bed, manager: Manager, member: SwarmService) -> None:
    services = Services(manager, bed)
    once = ("--restart-condition", "none")
    failing = {
        "nobind": ("--mount", "type=bind,source=/nope,target=/x", "busybox", "true"),
        "noimage": ("absent:1",),
        "seven": ("busybox", "sh", "-c", "exit 7"),
        "sick": (
            *("--health-cmd", "false", "--health-interval", "50ms", "--health-retries", "1"),
            *("--stop-grace-period", "0s", "busybox", "sleep", "1000"),
        ),
        "template": ("--env", 'A={{define "x"}}{{end}}', "busybox", "true"),
        "noprogram": ("busybox", "/no/such/program"),
    }
    for name, arguments in failing.items():
        await services.create(name, *once, *arguments)
    await services.create(
        "host", "--network", "host", "--stop-grace-period", "0s", "busybox", "sleep", "1000"
    )
    await services.create("job", "--mode", "replicated-job", "busybox", "true")

    assert await services.reaches("nobind", "rejected") == (
        'invalid mount config for type "bind": bind source path does not exist: /nope'
    )
    assert (await services.reaches("noimage", "rejected")).startswith("No such image: absent:1")
    assert await services.reaches("seven", "failed") == "task: non-zero exit (7)"
    sick = await services.reaches("sick", "failed")
    assert sick == "task: non-zero exit (137): unhealthy container"
    assert "{{define}} is not supported by davit" in await services.reaches("template", "rejected")
    noprogram = await services.reaches("noprogram", "failed")
    assert noprogram.startswith("starting container failed: ")
    assert await services.reaches("job", "complete") == ""
    await services.reaches("host", "running")
    assert services.container("host").host_config.network_mode == "host"
    await services.docker("service", "rm", *failing, "host", "job")
    # This manager never has what a job has completed removed.
    kept = services.container("job")
    await until(lambda: bed.world.store.all() == [kept], "all others are gone")
