"""conmon as the containers' monitor: create, wait, attach, resize, exec.

conmon keeps a process's terminal or pipes, its log and its exit code, whether or not davitd runs.
Everything here can therefore be asked again by a davitd that has just started.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from davit.drivers.conmon.console import AttachConsole
from davit.drivers.conmon.layout import MONITOR_PID, Layout
from davit.drivers.conmon.runtime import Runtime, readable
from davit.drivers.conmon.runtimes import Runtimes
from davit.drivers.conmon.spawn import Report, spawn
from davit.drivers.conmon.stdin import Stdin, StdinConsole
from davit.errors import Conflict, InvalidParameter, SystemFailure
from davit.model import times
from davit.model.runtime import BAD_COMMAND, ExecLaunch, Exit, Launch, Launched
from davit.sys import pidfd
from davit.sys.inotify import Watches

logger = logging.getLogger(__name__)

_RESIZE, _REOPEN_LOG = 1, 2
# Looks, a millisecond apart, at whether conmon has read what it was told.
_PATIENCE = 100
# The file that conmon makes, or opens once more, whenever the kernel kills for want of memory.
_OOM = "oom"
# Exit code of a container whose monitor was killed and took the code with it.
_LOST = 255


class ConmonMonitors:
    """conmon: path or name in PATH of the executable.

    runtime: of containers whose launch names none.
    patience: seconds that a runtime or a monitor has to come to its end before it is killed.
    """

    patience = 10.0

    def __init__(self, conmon: str, runtime: Runtime, layout: Layout) -> None:
        self._conmon = conmon
        self._runtimes = Runtimes(runtime, layout)
        self._layout = layout
        # Consoles connected before their exec began, so that no output is lost.
        self._early: dict[str, AttachConsole] = {}
        # Standard inputs that conmon alone would close too early.
        self._stdins: dict[str, Stdin] = {}
        self._watches = Watches()

    async def launch(self, launch: Launch) -> Launched:
        creating = asyncio.create_task(self._create(launch))
        try:
            return await asyncio.shield(creating)
        except BaseException:
            # Nobody may wait any more, but the runtime must come to its end: a runtime killed
            # half-way leaves what only it knows of.
            await asyncio.wait({creating}, timeout=self.patience)
            creating.cancel()
            await asyncio.gather(creating, return_exceptions=True)
            await self.forget(launch.container_id)
            raise

    async def _create(self, launch: Launch) -> Launched:
        home = Path(launch.bundle)
        runtime = await self._runtimes.choose(launch.container_id, launch.runtime)
        arguments = self._arguments(runtime, launch.container_id, launch.container_id, home)
        arguments += ["--exit-dir", str(self._layout.exits)]
        arguments += ["--log-path", f"k8s-file:{launch.log}" if launch.log else "none"]
        if launch.log and launch.log_limit:
            arguments += ["--log-size-max", str(launch.log_limit)]
        if launch.terminal:
            arguments.append("--terminal")
        if launch.stdin:
            arguments.append("--stdin")
            if not launch.stdin_once:
                arguments.append("--leave-stdin-open")
        spawned = await spawn(self._conmon, arguments, directory=home)
        try:
            report = await spawned.report()
        finally:
            spawned.close()
        return await asyncio.to_thread(_launched, report, home)

    async def exec(self, launch: ExecLaunch) -> Launched:
        home = self._layout.execs / launch.exec_id
        specification = home / "process.json"

        def prepare() -> None:
            (home / "exits").mkdir(parents=True, mode=0o711)
            specification.write_bytes(launch.process)

        async with AsyncExitStack() as undo:
            undo.push_async_callback(asyncio.to_thread, self._layout.clear, launch.exec_id)
            await asyncio.to_thread(prepare)
            runtime = await self._runtimes.of(launch.container_id)
            arguments = self._arguments(runtime, launch.container_id, launch.exec_id, home)
            arguments += ["--exit-dir", str(home / "exits"), "--log-path", "none"]
            arguments += ["--exec", "--exec-attach", "--exec-process-spec", str(specification)]
            if launch.terminal:
                arguments.append("--terminal")
            if launch.stdin:
                arguments.append("--stdin")
            spawned = await spawn(self._conmon, arguments, directory=home, attach=True)
            undo.callback(spawned.close)
            await spawned.listening()
            if launch.attach:
                # conmon accepts it as soon as it may go on.
                console = await AttachConsole.connect(home, accepted=False)
                self._early[launch.exec_id] = console
                undo.push_async_callback(console.close)
                undo.callback(self._early.pop, launch.exec_id, None)
            spawned.go()
            launched = await asyncio.to_thread(_launched, await spawned.report(), home)
            undo.pop_all()
            spawned.close()
        return launched

    async def left_execs(self) -> dict[str, Launched | None]:
        return await asyncio.to_thread(self._left_execs)

    async def start(self, container_id: str) -> None:
        await (await self._runtimes.of(container_id)).start(container_id)

    async def wait(self, process_id: str, launched: Launched) -> Exit:
        await pidfd.wait_end(launched.conmon_pid, launched.start_ticks)
        return await asyncio.to_thread(self._exit, process_id)

    @contextlib.contextmanager
    def watch_oom(self, container_id: str, listener: Callable[[], None]) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            home = self._layout.bundles / container_id
            try:
                stack.enter_context(self._watches.opened(home, _OOM, listener))
            except OSError as error:
                # It has ended meanwhile, or the host grants no more watches: what the monitor has
                # seen is read at the end, too.
                logger.warning("memory kills in %s are told at its end: %s", container_id, error)
            yield

    def is_alive(self, launched: Launched) -> bool:
        return pidfd.start_ticks(launched.conmon_pid) == launched.start_ticks

    async def kill(self, container_id: str, signal: int) -> None:
        await (await self._runtimes.of(container_id)).kill(container_id, signal)

    async def pause(self, container_id: str) -> None:
        await (await self._runtimes.of(container_id)).pause(container_id)

    async def resume(self, container_id: str) -> None:
        await (await self._runtimes.of(container_id)).resume(container_id)

    async def update(self, container_id: str, resources: Mapping[str, object]) -> None:
        await (await self._runtimes.of(container_id)).update(container_id, resources)

    async def forget(self, process_id: str) -> None:
        early = self._early.pop(process_id, None)
        if early is not None:
            await early.close()
        stdin = self._stdins.pop(process_id, None)
        if stdin is not None:
            stdin.abort()
        await self._runtimes.delete(process_id)
        await self._end_monitor(process_id)
        await asyncio.to_thread(self._layout.clear, process_id)

    async def attach(self, process_id: str, *, stdin: bool = False) -> AttachConsole | StdinConsole:
        early = self._early.pop(process_id, None)
        if early is not None:
            return early
        home = await asyncio.to_thread(self._layout.home, process_id)
        pipe = await self._stdin(process_id, home)
        console = await AttachConsole.connect(home)
        return console if pipe is None else StdinConsole(console, pipe, is_source=stdin)

    async def _stdin(self, process_id: str, home: Path) -> Stdin | None:
        if process_id not in self._stdins:
            monitor = await asyncio.to_thread(self._layout.find_monitor, process_id)
            init = await asyncio.to_thread(_read_pid, home / "pid")
            opened = None if monitor is None else await Stdin.open(monitor[0], init)
            if opened is None:
                return None
            # Two clients may come at once: one pipe serves both.
            if self._stdins.setdefault(process_id, opened) is not opened:
                opened.abort()
        return self._stdins[process_id]

    async def resize(self, process_id: str, height: int, width: int) -> None:
        await asyncio.to_thread(self._control, process_id, f"{_RESIZE} {height} {width}\n")

    async def reopen_log(self, container_id: str) -> None:
        await asyncio.to_thread(self._control, container_id, f"{_REOPEN_LOG} 0 0\n")

    async def _end_monitor(self, process_id: str) -> None:
        """Return when the monitor has ended: it writes its last files after its process's end."""
        found = await asyncio.to_thread(self._layout.find_monitor, process_id)
        if found is None:
            return
        try:
            await asyncio.wait_for(pidfd.wait_end(*found), self.patience)
        except asyncio.TimeoutError:
            logger.warning("the monitor of %s did not end by itself: killed", process_id)
            with contextlib.suppress(ProcessLookupError):
                os.kill(found[0], signal.SIGKILL)
            await pidfd.wait_end(*found)

    def _arguments(
        self, runtime: Runtime, container_id: str, unique_id: str, home: Path
    ) -> list[str]:
        return [
            *("--api-version", "1"),
            *("--cid", container_id, "--cuuid", unique_id, "--name", container_id[:12]),
            *("--runtime", runtime.executable),
            f"--runtime-arg=--root={runtime.root}",
            *("--bundle", str(home)),
            *("--container-pidfile", str(home / "pid")),
            *("--conmon-pidfile", str(home / MONITOR_PID)),
            *("--socket-dir-path", str(self._layout.sockets)),
            # The log is on disk when the kernel writes it back: its loss at a power failure is
            # what dockerd's users have, too; a sync at each end costs more than the end itself.
            "--no-sync-log",
            *("--log-level", "error"),
        ]

    def _left_execs(self) -> dict[str, Launched | None]:
        left: dict[str, Launched | None] = {}
        for home in self._layout.execs.iterdir():
            found = self._layout.find_monitor(home.name)
            left[home.name] = found and Launched(
                pid=_read_pid(home / "pid"), conmon_pid=found[0], start_ticks=found[1]
            )
        return left

    def _exit(self, process_id: str) -> Exit:
        file = self._layout.exit_file(process_id)
        if file is None:
            error = "its monitor (conmon) was killed, and the exit code is lost"
            return Exit(exit_code=_LOST, finished_at=times.now(), error=error)
        return Exit(
            exit_code=int(file.read_text()),
            finished_at=file.stat().st_mtime_ns,
            oom_killed=(self._layout.home(process_id) / _OOM).exists(),
        )

    def _control(self, process_id: str, line: str) -> None:
        try:
            fifo = os.open(
                self._layout.home(process_id) / "ctl", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC
            )
        except OSError as error:  # ENXIO: the reader has gone.
            raise Conflict(f"{process_id} is not running ({error.strerror})") from None
        try:
            os.write(fifo, line.encode())
            # Before the caller's next word, which takes another way, reaches the process.
            for _ in range(_PATIENCE):
                if not _unread(fifo):
                    break
                time.sleep(0.001)
        finally:
            os.close(fifo)


def _unread(pipe: int) -> int:
    """Return how many bytes nobody has read yet (pipe(7))."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def _read_pid(file: Path) -> int:
    """0, which is nobody's, when there is none."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return 0


def _launched(report: Report, home: Path) -> Launched:
    if report.data < 0:
        message = readable(report.message) or "the OCI runtime failed and gave no reason"
        kind = InvalidParameter if any(text in message for text in BAD_COMMAND) else SystemFailure
        raise kind(message)
    conmon_pid = int((home / MONITOR_PID).read_text())
    # A monitor that has ended already is found so by whoever waits for it: 0 matches no process.
    ticks = pidfd.start_ticks(conmon_pid) or 0
    return Launched(pid=report.data, conmon_pid=conmon_pid, start_ticks=ticks)
