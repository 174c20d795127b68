"""Execs: created, started once, watched until they end. They live in memory, as in Docker."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable

import msgspec

from davit.errors import Conflict, DavitError, InvalidParameter, NotFound
from davit.model import codec, ids
from davit.model.container import Container, Status
from davit.model.exec import Exec, ExecSpec
from davit.model.runtime import ExecLaunch, Launched
from davit.services.containers import links
from davit.services.containers.context import Context
from davit.services.containers.needs import Console
from davit.spec import process
from davit.sys import users

# An ended exec can be inspected for this long (seconds).
_KEEP_ENDED = 300


class ExecService:
    """Everything that can be done with execs."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._execs: dict[str, Exec] = {}
        self._begun: dict[str, asyncio.Event] = {}
        self._ended: dict[str, asyncio.Event] = {}
        self._ended_at: dict[str, float] = {}
        ctx.after_exit.append(self._drop_unused)

    async def open(self) -> None:
        """Clean up after execs of an earlier davitd; once, at start-up.

        Their processes go on, without a client, until they end by themselves or with their
        container; nobody can ask for them any more.
        """
        for exec_id, launched in (await self._ctx.monitors.left_execs()).items():
            self._ctx.background.spawn(self._outlive(exec_id, launched), f"exec {exec_id}")

    def get(self, exec_id: str) -> Exec:
        """Raises NotFound, also when its container is gone."""
        found = self._execs.get(exec_id)
        if found is None or self._ctx.store.find(found.container_id) is None:
            raise NotFound(f"No such exec instance: {exec_id}")
        return found

    def of_container(self, container_id: str) -> list[str]:
        """IDs of the container's execs that have not ended."""
        return [
            entry.id
            for entry in self._execs.values()
            if entry.container_id == container_id and entry.exit_code is None
        ]

    def create(self, reference: str, spec: ExecSpec) -> Exec:
        """Note what is to run. Raises NotFound, Conflict (does not run), InvalidParameter."""
        container = self._ctx.store.get(reference)
        _check_running(container)
        if not spec.argv:
            raise InvalidParameter("No exec command specified")
        for variable in spec.env:
            if variable.startswith("=") or not variable or "\0" in variable:
                raise InvalidParameter(f"invalid environment variable: {variable!r}")
        self._drop_old()
        entry = Exec(id=ids.new_id(), container_id=container.id, spec=spec)
        self._execs[entry.id] = entry
        self._begun[entry.id] = asyncio.Event()
        self._ended[entry.id] = asyncio.Event()
        self._announce(entry, "exec_create")
        return entry

    def claim(self, exec_id: str) -> Exec:
        """Take an exec for its one start. Raises NotFound, Conflict (ran already, not running)."""
        entry = self.get(exec_id)
        container = self._ctx.store.get(entry.container_id)
        _check_running(container)
        if entry.started:
            state = "running" if entry.exit_code is None else "exited"
            raise Conflict(f"exec {exec_id} is {state} already: create another one")
        return self._change(exec_id, started=True)

    async def start(
        self, entry: Exec, console_size: tuple[int, int] = (0, 0), *, attach: bool
    ) -> Console | None:
        """Run a claimed exec. Raises what the runtime says; its exit code is 126 then.

        attach: return its streams, with all output from the first byte; the caller closes them.
        """
        starting = asyncio.ensure_future(self._start(entry, console_size, attach))
        try:
            # A client that goes away meanwhile must not leave a process that nobody watches.
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            self._ctx.background.spawn(_close(starting), f"console of exec {entry.id}")
            raise

    async def _start(
        self, entry: Exec, console_size: tuple[int, int], attach: bool
    ) -> Console | None:
        container = self._ctx.store.get(entry.container_id)
        spec = entry.spec
        if console_size != (0, 0):
            spec = msgspec.structs.replace(spec, console_size=console_size)
        try:
            link_env = links.environment(links.reachable(self._ctx, container))
            built = await asyncio.to_thread(self._process, container, spec, link_env)
            launched = await self._ctx.monitors.exec(
                ExecLaunch(
                    exec_id=entry.id,
                    container_id=container.id,
                    bundle=str(self._ctx.paths.bundle(container.id)),
                    process=built,
                    terminal=spec.tty,
                    stdin=spec.attach_stdin and attach,
                    attach=attach,
                )
            )
        except DavitError:
            # Docker's, whatever the reason: clients tell by it that the program did not run.
            self._end(entry.id, 126)
            raise
        console = await self._ctx.monitors.attach(entry.id) if attach else None
        self._change(entry.id, running=True, pid=launched.pid)
        self._begun[entry.id].set()
        self._announce(entry, "exec_start")
        self._ctx.background.spawn(self._watch(entry, launched), f"exec {entry.id}")
        return console

    async def wait(self, exec_id: str) -> None:
        """Return when the exec has ended and its exit code is known."""
        await self._ended[exec_id].wait()

    def detached(self, exec_id: str) -> None:
        """Tell that a client left by its detach keys."""
        self._announce(self.get(exec_id), "exec_detach")

    async def resize(self, exec_id: str, height: int, width: int) -> None:
        """Wait for a start that is under way. Raises NotFound, Conflict when it does not run."""
        if self.get(exec_id).started:
            await self._begun[exec_id].wait()
        if not self.get(exec_id).running:
            raise Conflict(f"exec {exec_id} is not running: only a running one has a terminal")
        await self._ctx.monitors.resize(exec_id, height, width)

    def _process(self, container: Container, spec: ExecSpec, link_env: list[str]) -> bytes:
        """Return the OCI ``process`` object as JSON. Blocking. Raises InvalidParameter."""
        asked = container.host_config
        user = users.resolve(
            self._ctx.paths.rootfs(container.id),
            spec.user or container.config.user,
            asked.group_add,
        )
        return codec.encode(
            process.for_exec(
                container,
                self._ctx.host,
                user,
                spec.argv,
                env=spec.env,
                link_env=link_env,
                cwd=spec.working_dir,
                tty=spec.tty,
                privileged=spec.privileged,
                console_size=spec.console_size,
            )
        )

    async def _outlive(self, exec_id: str, launched: Launched | None) -> None:
        if launched is not None:
            await self._ctx.monitors.wait(exec_id, launched)
        await self._ctx.monitors.forget(exec_id)

    async def _watch(self, entry: Exec, launched: Launched) -> None:
        end = await self._ctx.monitors.wait(entry.id, launched)
        await self._ctx.monitors.forget(entry.id)
        self._end(entry.id, end.exit_code)
        self._announce(entry, "exec_die", exitCode=str(end.exit_code))

    def _end(self, exec_id: str, exit_code: int) -> None:
        self._change(exec_id, running=False, pid=0, exit_code=exit_code)
        self._ended_at[exec_id] = time.monotonic()
        self._begun[exec_id].set()
        self._ended[exec_id].set()

    def _change(self, exec_id: str, **values: object) -> Exec:
        changed = msgspec.structs.replace(self._execs[exec_id], **values)
        self._execs[exec_id] = changed
        return changed

    def _drop_old(self) -> None:
        old = time.monotonic() - _KEEP_ENDED
        gone = [key for key, ended in self._ended_at.items() if ended < old]
        gone += [
            entry.id
            for entry in self._execs.values()
            if not entry.running and self._ctx.store.find(entry.container_id) is None
        ]
        self._drop(gone)

    async def _drop_unused(self, container_id: str) -> None:
        """What never started cannot start any more when its container has ended."""
        self._drop(
            entry.id
            for entry in list(self._execs.values())
            if entry.container_id == container_id and not entry.started
        )

    def _drop(self, gone: Iterable[str]) -> None:
        for exec_id in gone:
            self._execs.pop(exec_id, None)
            self._begun.pop(exec_id, None)
            self._ended.pop(exec_id, None)
            self._ended_at.pop(exec_id, None)

    def _announce(self, entry: Exec, action: str, **attributes: str) -> None:
        container = self._ctx.store.find(entry.container_id)
        if container is None:
            return
        if action in ("exec_create", "exec_start"):
            action = f"{action}: {' '.join(entry.spec.argv)}"
        self._ctx.announce(container, action, execID=entry.id, **attributes)


async def _close(starting: asyncio.Future[Console | None]) -> None:
    """Close what nobody waits for any more; why a start failed has been noted."""
    with contextlib.suppress(DavitError):
        console = await starting
        if console is not None:
            await console.close()


def _check_running(container: Container) -> None:
    if container.state.status is Status.PAUSED:
        raise Conflict(f"container {container.id} is paused, unpause the container before exec")
    if container.state.status is not Status.RUNNING:
        raise Conflict(f"container {container.id} is not running")
