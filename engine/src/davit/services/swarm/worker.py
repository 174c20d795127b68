"""Everything that is assigned to this node: its tasks, and the secrets and configs for them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from google.protobuf.message import DecodeError

from davit._pb import swarmkit_pb2 as pb
from davit.model.swarm import TaskRow
from davit.services.swarm.needs import Controller, Dependencies
from davit.services.swarm.states import State
from davit.services.swarm.task import TaskRun
from davit.store.swarm import TaskStore

logger = logging.getLogger(__name__)


class Assigned(Dependencies):
    """Secrets and configs. They come again with each task that needs them, and go twice."""

    def __init__(self) -> None:
        self._secrets: dict[str, pb.Secret] = {}
        self._configs: dict[str, pb.Config] = {}

    def secret(self, secret_id: str) -> pb.Secret | None:
        return self._secrets.get(secret_id)

    def config(self, config_id: str) -> pb.Config | None:
        return self._configs.get(config_id)

    def clear(self) -> None:
        self._secrets.clear()
        self._configs.clear()

    def apply(self, change: pb.AssignmentChange) -> None:
        item, removed = change.assignment, change.action == pb.AssignmentChange.REMOVE
        if item.HasField("secret"):
            if removed:
                self._secrets.pop(item.secret.id, None)
            else:
                self._secrets[item.secret.id] = item.secret
        elif item.HasField("config"):
            if removed:
                self._configs.pop(item.config.id, None)
            else:
                self._configs[item.config.id] = item.config


class Worker:
    """Takes assignments, moves tasks, and keeps what is to be reported.

    make_controller: called once with the store of secrets and configs.
    """

    def __init__(
        self, store: TaskStore, make_controller: Callable[[Dependencies], Controller]
    ) -> None:
        self.dependencies = Assigned()
        self.controller = make_controller(self.dependencies)
        self._store = store
        self._runs: dict[str, TaskRun] = {}
        self._removals: dict[str, asyncio.Task[None]] = {}
        self._unreported: dict[str, pb.TaskStatus] = {}
        self.reportable = asyncio.Event()
        self._told = False

    async def open(self) -> None:
        """Take up the tasks of an earlier davitd.

        Those that run are watched from now on; what others need (secrets are in memory only) comes
        with the first assignment.
        """
        for task_id, row in (await self._store.load()).items():
            try:
                task = pb.Task.FromString(row.task)
                status = pb.TaskStatus.FromString(row.status)
            except DecodeError:
                logger.warning("swarm task %s: its row cannot be read and is dropped", task_id)
                await self._store.remove(task_id)
                continue
            run = TaskRun(task, status, self.controller, self._changed)
            self._runs[task_id] = run
            if status.state >= State.RUNNING:
                run.start()

    async def close(self) -> None:
        """Stop moving tasks; their containers go on."""
        removals = list(self._removals.values())
        for removal in removals:
            removal.cancel()
        await asyncio.gather(*removals, return_exceptions=True)
        await asyncio.gather(*(run.close() for run in self._runs.values()))

    async def clear(self) -> None:
        """Stop and remove everything: this node leaves the swarm."""
        for task_id in list(self._runs):
            self._remove(task_id)
        await asyncio.gather(*self._removals.values(), return_exceptions=True)
        await self.controller.sweep(())
        self.dependencies.clear()
        self._unreported.clear()

    def tasks(self) -> list[pb.Task]:
        return [run.task for run in self._runs.values()]

    async def apply(self, message: pb.AssignmentsMessage) -> None:
        """Take a message with assignments; their order in it says nothing."""
        complete = message.type == pb.AssignmentsMessage.COMPLETE
        if complete:
            self.dependencies.clear()
        for change in message.changes:
            self.dependencies.apply(change)
        updated: set[str] = set()
        for change in message.changes:
            if not change.assignment.HasField("task"):
                continue
            task = change.assignment.task
            if change.action == pb.AssignmentChange.REMOVE:
                self._remove(task.id)
            else:
                updated.add(task.id)
                await self._update(task)
        if complete:
            for task_id in self._runs.keys() - updated:
                self._remove(task_id)
            if not self._told:
                # What an earlier davitd began and had no time to write down.
                await self.controller.sweep(self._runs.keys() | self._removals.keys())
            self._told = True
        if self._told:
            for run in self._runs.values():
                run.start()

    def report_all(self) -> None:
        """Have every status reported (again): the manager may have missed any of them."""
        self._unreported = {task_id: run.status for task_id, run in self._runs.items()}
        if self._unreported:
            self.reportable.set()

    def take_unreported(self) -> list[tuple[str, pb.TaskStatus]]:
        """Return what is to be reported, the newest status of each task."""
        taken, self._unreported = self._unreported, {}
        self.reportable.clear()
        return list(taken.items())

    async def _update(self, task: pb.Task) -> None:
        if task.id in self._removals:
            return
        run = self._runs.get(task.id)
        if run is not None:
            run.update(task)
            await self._keep(run)
            return
        # What this node has reported itself counts, not what the manager knew of it.
        status = pb.TaskStatus()
        status.CopyFrom(task.status)
        run = TaskRun(task, status, self.controller, self._changed)
        self._runs[task.id] = run
        await self._keep(run)

    def _remove(self, task_id: str) -> None:
        run = self._runs.pop(task_id, None)
        self._unreported.pop(task_id, None)
        if run is not None:
            removal = asyncio.create_task(self._removal(run), name=f"removal of task {task_id}")
            self._removals[task_id] = removal

    async def _removal(self, run: TaskRun) -> None:
        try:
            await run.remove()
            await self._store.remove(run.task.id)
        finally:
            self._removals.pop(run.task.id, None)

    async def _changed(self, run: TaskRun) -> None:
        if run.task.id in self._runs:
            await self._keep(run)
            self._unreported[run.task.id] = run.status
            self.reportable.set()

    async def _keep(self, run: TaskRun) -> None:
        row = TaskRow(_without_credentials(run.task), run.status.SerializeToString())
        await self._store.put(run.task.id, row)


def _without_credentials(task: pb.Task) -> bytes:
    """Serialize a task without the registry's password, which its next assignment has again."""
    kept = pb.Task()
    kept.CopyFrom(task)
    if kept.spec.HasField("container"):
        kept.spec.container.ClearField("pull_options")
    return kept.SerializeToString()


def named(tasks: Iterable[pb.Task], selector: pb.LogSelector) -> list[pb.Task]:
    """Return those tasks that a selector of logs means: by task, service or node."""
    return [
        task
        for task in tasks
        if task.id in selector.task_ids
        or task.service_id in selector.service_ids
        or task.node_id in selector.node_ids
    ]
