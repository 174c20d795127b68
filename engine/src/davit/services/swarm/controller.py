"""What is done to the container of one task. Each verb finds it by its label, and may come again.

Source: Moby's executor of SwarmKit's tasks: steps, and words that users see in ``service ps``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Collection
from typing import Any

from davit._pb import swarmkit_pb2 as pb
from davit.errors import DavitError, InvalidParameter, NotFound, NotModified, SystemFailure
from davit.model import registry
from davit.model.container import Container, Status
from davit.model.reference import is_digest
from davit.model.registry import AuthConfig
from davit.services.containers.health import HEALTHY, UNHEALTHY, check_of
from davit.services.swarm import files, mapping, task_logs
from davit.services.swarm.exec_needs import ExecNeeds
from davit.services.swarm.expansion import Payloads, expanded, name_of
from davit.services.swarm.files import FileKeeper
from davit.services.swarm.needs import Dependencies, Ended
from davit.sys.tasks import uncut

logger = logging.getLogger(__name__)

_UNHEALTHY = "unhealthy container"


class TaskController:
    """Does to tasks' containers what the state machine says; implements ``needs.Controller``."""

    def __init__(self, needs: ExecNeeds, dependencies: Dependencies) -> None:
        self._needs = needs
        self._dependencies = dependencies
        self._files = FileKeeper(needs.paths.task_files, needs.ids)
        self._known: dict[str, str] = {}
        self._begun: dict[str, asyncio.Event] = {}

    async def prepare(self, task: pb.Task) -> None:
        """Pull the image, make volumes, secrets and the container.

        Raises NotFound without an image, InvalidParameter, NotSupported, Conflict, SystemFailure.
        """
        if self.find(task.id) is not None:
            return
        mapping.check(task)
        spec = expanded(task, self._needs.node)
        mounts = self._files.mounts(task.id, files.targets(spec))
        request = mapping.request(task, spec, mounts)
        await self._pull(spec)
        try:
            await self._make_files(task, spec)
            await uncut(self._needs.containers.create(name_of(task), request))
        except BaseException:
            if self.find(task.id) is None:
                await uncut(self._files.remove(task.id))
            raise

    async def start(self, task: pb.Task) -> None:
        """Start the container, and return when it is healthy if it has a check.

        One that has been started before is not started again. Raises NotFound, and what failed.
        """
        container = self._get(task)
        if container.state.status is Status.CREATED:
            try:
                await self._make_files(task, expanded(task, self._needs.node))
                await self._needs.containers.start(container.id)
            except NotModified:
                pass
            except DavitError as error:
                raise type(error)(f"starting container failed: {error.message}") from None
        self._begun.setdefault(task.id, asyncio.Event()).set()
        if check_of(container.config) is not None:
            ended = await self._until(task, container, healthy=True)
            if ended is not None and ended.error:
                raise SystemFailure(ended.error)

    async def wait(self, task: pb.Task) -> Ended:
        """Return when the container has ended, or was ended for being unhealthy."""
        ended = await self._until(task, self._get(task))
        if ended is None:
            raise SystemFailure(f"{name_of(task)}: its end was not seen")
        return ended

    async def shutdown(self, task: pb.Task) -> None:
        """Stop the container within its grace period; nothing to do when there is none."""
        container = self.find(task.id)
        if container is not None:
            await self._stop(task, container)

    async def remove(self, task: pb.Task) -> None:
        """Remove the container with its anonymous volumes, and the files."""
        await self._remove(task.id)

    async def sweep(self, keep: Collection[str]) -> None:
        """Remove what there is of all tasks but these, by ID: containers and files."""
        labelled = (row.config.labels.get(mapping.TASK_ID) for row in self._needs.containers.all())
        found = {task_id for task_id in labelled if task_id} | set(await self._files.all())
        for task_id in sorted(found.difference(keep)):
            try:
                await self._remove(task_id)
            except DavitError as error:
                logger.error("task %s is left behind: %s", task_id, error.message)

    def describe(self, task: pb.Task, status: pb.TaskStatus) -> None:
        """Put the container's ID, process, exit code and host ports into a status."""
        container = self.find(task.id)
        if container is None:
            return
        status.container.container_id = container.id
        status.container.pid = container.state.pid
        status.container.exit_code = container.state.exit_code
        sandbox = self._needs.networks.sandbox(container.id)
        ports = mapping.port_status(sandbox.ports) if sandbox is not None else []
        status.port_status.CopyFrom(pb.PortStatus(ports=ports))

    async def logs(
        self, task: pb.Task, options: pb.LogSubscriptionOptions
    ) -> AsyncIterator[pb.LogMessage]:
        """Yield what the container has printed; with ``follow`` until it ends.

        To follow waits for a container that has not started; else without one there is nothing.
        """
        selection = task_logs.selection(options)
        container = self.find(task.id)
        if options.follow and (container is None or container.state.status is Status.CREATED):
            await self._begun.setdefault(task.id, asyncio.Event()).wait()
            container = self.find(task.id)
        if container is None:
            return
        context = pb.LogContext(service_id=task.service_id, node_id=task.node_id, task_id=task.id)
        async for block in self._needs.logs.logs(container.id, selection):
            for message in task_logs.messages(context, block):
                yield message

    def find(self, task_id: str) -> Container | None:
        """Return the container of a task, None when there is none."""
        containers = self._needs.containers
        if task_id in self._known:
            try:
                return containers.get(self._known[task_id])
            except NotFound:
                del self._known[task_id]
        for container in containers.all():
            if container.config.labels.get(mapping.TASK_ID) == task_id:
                self._known[task_id] = container.id
                return container
        return None

    def _get(self, task: pb.Task) -> Container:
        container = self.find(task.id)
        if container is None:
            raise NotFound(f"No such container: {name_of(task)}")
        return container

    async def _pull(self, spec: pb.ContainerSpec) -> None:
        """Pull the image; when that fails, the one that is here will do."""
        name = spec.image
        if is_digest(name) or ("@" in name and self._why_missing(name) is None):
            return
        try:
            auth = registry.decode("registry auth", spec.pull_options.registry_auth, AuthConfig)
            await self._needs.registries.pull(
                name, platform="", auth=auth or AuthConfig(), report=lambda _: None
            )
        except DavitError as error:
            missing = self._why_missing(name)
            if missing is not None:
                raise type(missing)(f"{missing.message}: {error.message}") from None
            logger.warning("pulling %s failed, the image that is here is used: %s", name, error)

    def _why_missing(self, image: str) -> DavitError | None:
        try:
            self._needs.images.resolve(image)
        except (NotFound, InvalidParameter) as error:
            return error
        return None

    async def _make_files(self, task: pb.Task, spec: pb.ContainerSpec) -> None:
        """Make the files of secrets and configs unless they are there, or there are to be none."""
        if not files.targets(spec) or await self._files.are_there(task.id):
            return
        payloads = Payloads(task, self._needs.node, tuple(spec.env), self._dependencies)
        await self._files.make(task.id, files.collect(spec, payloads))

    async def _until(
        self, task: pb.Task, container: Container, *, healthy: bool = False
    ) -> Ended | None:
        """Wait for the end; with ``healthy`` until it is that, too: None. Unhealthy ones stop."""
        containers = self._needs.containers
        end = containers.wait(container.id)
        good = containers.watch_health(container.id, HEALTHY)
        bad = containers.watch_health(container.id, UNHEALTHY)
        try:
            waiting: list[asyncio.Future[Any]] = [end, bad, *([good] if healthy else [])]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if end.done():
                return _ended(end.result().exit_code)
            if not bad.done():
                return None
            await self._stop(task, container)
            return _ended((await end).exit_code, _UNHEALTHY)
        finally:
            for future in (end, good, bad):
                future.cancel()

    async def _stop(self, task: pb.Task, container: Container) -> None:
        with contextlib.suppress(NotModified, NotFound):
            await self._needs.containers.stop(
                container.id, timeout=mapping.grace_period(task.spec.container)
            )

    async def _remove(self, task_id: str) -> None:
        container = self.find(task_id)
        if container is not None:
            with contextlib.suppress(NotFound):
                await self._needs.containers.remove(container.id, force=True, volumes=True)
        await self._files.remove(task_id)
        self._known.pop(task_id, None)
        if begun := self._begun.pop(task_id, None):
            begun.set()


def _ended(code: int, cause: str = "") -> Ended:
    if not code:
        return Ended(code, cause)
    return Ended(code, f"task: non-zero exit ({code}){f': {cause}' if cause else ''}")
