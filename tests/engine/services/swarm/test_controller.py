"""Tasks' containers, from their making to their removal."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from google.protobuf import duration_pb2

from davit._pb import swarmkit_pb2 as pb
from davit.errors import DavitError, NotFound, NotSupported, SystemFailure
from davit.model.container import CreateRequest, Status
from tests.engine.services.swarm.taskbed import Bed, a_task

T = TypeVar("T")
_GRACE = duration_pb2.Duration(seconds=1)
_SHORT = duration_pb2.Duration(nanos=50_000_000)


async def _soon(work: Coroutine[Any, Any, T]) -> T:
    return await asyncio.wait_for(work, 30)


def _check(command: str) -> pb.HealthConfig:
    return pb.HealthConfig(test=["CMD-SHELL", command], interval=_SHORT, retries=2)


async def test_a_life(bed: Bed) -> None:
    task = a_task(command=["sh", "-c", "echo $0 out; exit 7"], stop_grace_period=_GRACE)
    control = bed.controller
    await control.prepare(task)
    await control.prepare(task)
    container = bed.container(task)
    assert (container.name, container.state.status) == ("web.1.task1", Status.CREATED)
    await control.start(task)
    ended = await _soon(control.wait(task))
    assert (ended.exit_code, ended.error) == (7, "task: non-zero exit (7)")
    begun = bed.container(task).state.started_at
    await control.start(task)
    assert bed.container(task).state.started_at == begun
    await control.shutdown(task)
    status = pb.TaskStatus()
    control.describe(task, status)
    assert (status.container.container_id, status.container.exit_code) == (container.id, 7)
    assert status.container.pid == 0
    await control.remove(task)
    await control.remove(task)
    await control.shutdown(task)
    assert bed.tasks.find(task.id) is None
    status = pb.TaskStatus()
    control.describe(task, status)
    assert not status.HasField("container")


async def test_a_restart_of_davitd_finds_what_runs(bed: Bed) -> None:
    task, ready = a_task(), a_task(2)
    before = await bed.run(task)
    await bed.controller.prepare(ready)
    await bed.restart()
    await bed.controller.prepare(task)
    await bed.controller.start(task)
    assert bed.container(task).state.pid == before.state.pid
    waiting = asyncio.ensure_future(bed.controller.wait(task))
    await bed.controller.start(ready)
    assert bed.container(ready).state.status is Status.RUNNING
    assert not waiting.done()
    await bed.world.containers.kill(before.id)
    assert (await _soon(_result(waiting))).error == "task: non-zero exit (137)"
    await bed.controller.shutdown(a_task(2, stop_grace_period=duration_pb2.Duration()))


async def _result(waiting: asyncio.Future[T]) -> T:
    return await waiting


async def test_an_anonymous_volume_goes_with_the_container(bed: Bed) -> None:
    named = pb.Mount(
        type=pb.Mount.VOLUME,
        source="data-{{.Task.Slot}}",
        target="/named",
        volume_options=pb.Mount.VolumeOptions(
            labels={"of": "{{.Service.Name}}"},
            driver_config=pb.Driver(
                name="local", options={"type": "tmpfs", "device": "tmpfs", "o": "size=64k"}
            ),
        ),
    )
    task = a_task(mounts=[named, pb.Mount(type=pb.Mount.VOLUME, target="/nameless")])
    await bed.run(task)
    kept = bed.world.volumes.find("data-1")
    assert kept is not None
    assert kept.labels == {"of": "web"}
    assert kept.options["o"] == "size=64k"
    assert len(bed.world.volumes.all()) == 2
    await bed.controller.remove(task)
    assert [volume.name for volume in bed.world.volumes.all()] == ["data-1"]


async def test_ports_that_were_chosen_are_told(bed: Bed) -> None:
    task = a_task()
    task.endpoint.ports.add(target_port=80, publish_mode=pb.PortConfig.HOST)
    await bed.run(task)
    status = pb.TaskStatus()
    bed.controller.describe(task, status)
    assert status.container.pid > 0
    (port,) = status.port_status.ports
    assert (port.target_port, port.protocol) == (80, pb.PortConfig.TCP)
    assert port.published_port > 0


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (
            {"mounts": [pb.Mount(type=pb.Mount.BIND, source="/nowhere/at/all", target="/x")]},
            'invalid mount config for type "bind": bind source path does not exist: '
            "/nowhere/at/all",
        ),
        ({"image": "absent:1"}, "No such image: absent:1: the registry does not answer"),
        (
            {
                "secrets": [
                    pb.SecretReference(secret_id="s1", secret_name="key", file=pb.FileTarget())
                ]
            },
            "secret key (s1) not found: the manager has not sent it to this node",
        ),
        (
            {
                "configs": [
                    pb.ConfigReference(config_id="c1", config_name="conf", file=pb.FileTarget())
                ]
            },
            "config conf (c1) not found",
        ),
    ],
)
async def test_what_cannot_be_prepared_leaves_nothing(
    bed: Bed, spec: dict[str, Any], words: str
) -> None:
    task = a_task(**spec)
    with pytest.raises(DavitError) as refused:
        await bed.controller.prepare(task)
    assert refused.value.message.startswith(words)
    assert bed.tasks.find(task.id) is None


async def test_an_overlay_network_is_refused_before_a_pull(bed: Bed) -> None:
    task = a_task(image="absent")
    network = task.networks.add().network
    network.driver_state.name = "overlay"
    with pytest.raises(NotSupported):
        await bed.controller.prepare(task)
    assert bed.registry.pulls == []


async def test_who_pulls_and_what_is_here_already(bed: Bed) -> None:
    words = json.dumps({"username": "u", "password": "p"}).encode()
    text = base64.urlsafe_b64encode(words).decode()
    task = a_task(pull_options=pb.ContainerSpec.PullOptions(registry_auth=text))
    await bed.controller.prepare(task)
    ((name, auth),) = bed.registry.pulls
    assert (name, auth.username, auth.password) == ("busybox", "u", "p")
    image = bed.world.images.resolve("busybox")
    await bed.controller.prepare(a_task(2, image=image.id))
    assert len(bed.registry.pulls) == 1
    with pytest.raises(NotFound) as refused:
        await bed.controller.prepare(
            a_task(
                3,
                image="absent",
                pull_options=pb.ContainerSpec.PullOptions(registry_auth="c2VjcmV0"),
            )
        )
    assert "registry auth" in refused.value.message
    assert "c2VjcmV0" not in refused.value.message


async def test_a_start_that_fails(bed: Bed) -> None:
    task = a_task(command=["/no/such/program"])
    await bed.controller.prepare(task)
    with pytest.raises(DavitError, match=r"^starting container failed: .*no/such/program"):
        await bed.controller.start(task)


async def test_a_name_that_another_container_has(bed: Bed) -> None:
    await bed.world.containers.create("web.1.task1", CreateRequest(image="busybox"))
    with pytest.raises(DavitError, match=r"web\.1\.task1"):
        await bed.controller.prepare(a_task())


async def test_running_is_told_of_a_healthy_container(bed: Bed) -> None:
    task = a_task(healthcheck=_check("test -e /ok"), stop_grace_period=duration_pb2.Duration())
    task.spec.container.healthcheck.retries = 1000
    await bed.controller.prepare(task)
    begun = asyncio.Event()
    bed.world.listener = lambda action: begun.set() if action == "start" else None
    starting = asyncio.ensure_future(bed.controller.start(task))
    await _soon(begun.wait())
    assert not starting.done()
    root = bed.world.paths.rootfs(bed.container(task).id)
    await asyncio.to_thread((root / "ok").touch)
    await _soon(_result(starting))
    # A davitd that starts again has to ask again.
    await bed.restart()
    await _soon(bed.controller.start(task))


async def test_a_container_that_never_gets_healthy_is_stopped(bed: Bed) -> None:
    task = a_task(healthcheck=_check("false"), stop_grace_period=duration_pb2.Duration())
    await bed.controller.prepare(task)
    with pytest.raises(SystemFailure, match=r"^task: non-zero exit \(137\): unhealthy container$"):
        await _soon(bed.controller.start(task))
    assert not bed.container(task).state.status.is_running


async def test_a_container_that_stops_being_healthy_is_stopped(bed: Bed) -> None:
    task = a_task(
        command=["sh", "-c", "touch /ok; trap 'exit 0' TERM; while :; do sleep 0.05; done"],
        healthcheck=_check("test -e /ok"),
    )
    container = await bed.run(task)
    waiting = asyncio.ensure_future(bed.controller.wait(task))
    await asyncio.to_thread((bed.world.paths.rootfs(container.id) / "ok").unlink)
    ended = await _soon(_result(waiting))
    assert (ended.exit_code, ended.error) == (0, "unhealthy container")


async def test_an_end_before_health(bed: Bed) -> None:
    task = a_task(command=["sh", "-c", "exit 3"], healthcheck=_check("true"))
    task.spec.container.healthcheck.interval.seconds = 1000
    await bed.controller.prepare(task)
    with pytest.raises(SystemFailure, match=r"^task: non-zero exit \(3\)$"):
        await _soon(bed.controller.start(task))


async def test_a_cancelled_preparation_can_be_removed(bed: Bed) -> None:
    bed.memory.add_secret("s1", b"x")
    secret = pb.SecretReference(secret_id="s1", file=pb.FileTarget(name="key"))
    for turns in range(0, 100, 5):
        task = a_task(turns + 1, secrets=[secret])
        preparing = asyncio.ensure_future(bed.controller.prepare(task))
        for _ in range(turns):
            await asyncio.sleep(0)
        preparing.cancel()
        await asyncio.wait([preparing])
        await bed.controller.remove(task)
        assert bed.tasks.find(task.id) is None


async def test_a_sweep_leaves_the_others(bed: Bed) -> None:
    bed.memory.add_secret("s1", b"x")
    secret = pb.SecretReference(secret_id="s1", file=pb.FileTarget(name="key"))
    one, other = a_task(1, secrets=[secret]), a_task(2)
    await bed.run(one)
    await bed.run(other)
    mine = await bed.world.create("mine")
    await bed.tasks.sweep([other.id])
    assert bed.tasks.find(one.id) is None
    assert bed.tasks.find(other.id) is not None
    assert bed.world.store.find(mine.id) is not None
    assert not list(bed.world.paths.task_files.iterdir())
