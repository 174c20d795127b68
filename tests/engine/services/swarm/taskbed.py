"""Tasks on real containers, without a manager: the secrets and images are what a test says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from davit._pb import swarmkit_pb2 as pb
from davit.drivers.logs.forward import Forwarder
from davit.drivers.logs.keeper import LogKeeper
from davit.drivers.logs.reader import LogReader
from davit.drivers.logs.senders import sender
from davit.errors import DavitError, Unavailable
from davit.model.container import Container
from davit.model.image import Image, Progress
from davit.model.registry import AuthConfig
from davit.services.containers.logs import ContainerLogs
from davit.services.containers.streams import ContainerStreams
from davit.services.swarm.controller import TaskController
from davit.services.swarm.exec_needs import ExecNeeds, NodeFacts
from davit.services.swarm.needs import Controller
from tests.engine.services.containers.world import World

NODE = NodeFacts(hostname="host1", architecture="x86_64")


class Memory:
    """Secrets and configs; and what a manager would have sent."""

    def __init__(self) -> None:
        self.secrets: dict[str, pb.Secret] = {}
        self.configs: dict[str, pb.Config] = {}

    def secret(self, secret_id: str) -> pb.Secret | None:
        return self.secrets.get(secret_id)

    def config(self, config_id: str) -> pb.Config | None:
        return self.configs.get(config_id)

    def add_secret(self, secret_id: str, data: bytes, templating: str = "") -> None:
        self.secrets[secret_id] = secret = pb.Secret(id=secret_id)
        secret.spec.data = data
        if templating:
            secret.spec.templating.name = templating

    def add_config(self, config_id: str, data: bytes, templating: str = "") -> None:
        self.configs[config_id] = config = pb.Config(id=config_id)
        config.spec.data = data
        if templating:
            config.spec.templating.name = templating


class Registry:
    """Refuses, and notes what was asked for and by whom."""

    def __init__(self) -> None:
        self.pulls: list[tuple[str, AuthConfig]] = []
        self.error: DavitError = Unavailable("the registry does not answer")

    async def pull(
        self, name: str, *, platform: str, auth: AuthConfig, report: Callable[[Progress], None]
    ) -> Image:
        self.pulls.append((name, auth))
        raise self.error


def a_task(number: int = 1, **spec: Any) -> pb.Task:
    """A task of the service "web". spec: fields of its container's specification."""
    fields: dict[str, Any] = {"image": "busybox", "command": ["sleep", "1000"], **spec}
    task = pb.Task(
        id=f"task{number}",
        service_id="svc1",
        slot=number,
        node_id="node1",
        spec=pb.TaskSpec(container=pb.ContainerSpec(**fields)),
    )
    task.service_annotations.name = "web"
    return task


class Bed:
    """A world with a controller, which ``restart`` makes anew as a davitd that starts does."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.memory = Memory()
        self.registry = Registry()
        self._build()

    def _build(self) -> None:
        world = self.world
        logs = ContainerLogs(
            world.context,
            reader=LogReader(),
            keeper=LogKeeper(),
            forwarding=Forwarder(),
            senders=sender,
        )
        self.needs = ExecNeeds(
            paths=world.paths,
            node=NODE,
            containers=world.containers,
            images=world.images,
            registries=self.registry,
            logs=ContainerStreams(world.context, logs),
            networks=world.networks,
        )
        self.tasks = TaskController(self.needs, self.memory)
        self.controller: Controller = self.tasks

    async def restart(self) -> None:
        await self.world.crash()
        await self.world.open()
        self._build()

    async def run(self, task: pb.Task) -> Container:
        await self.controller.prepare(task)
        await self.controller.start(task)
        return self.container(task)

    def container(self, task: pb.Task) -> Container:
        found = self.tasks.find(task.id)
        assert found is not None
        return found
