"""Routes of execs."""

from __future__ import annotations

from typing import Any, Protocol

from aiohttp import web

from davit.api import hijack, multiplex, response
from davit.api.routes.container_io import size
from davit.api.routing import Call, Route
from davit.errors import DavitError, InvalidParameter
from davit.model.exec import Exec, ExecSpec, ExecStart
from davit.model.runtime import STDERR, STDOUT


class Execs(Protocol):
    """What these routes need."""

    def get(self, exec_id: str) -> Exec: ...

    def create(self, reference: str, spec: ExecSpec) -> Exec: ...

    def claim(self, exec_id: str) -> Exec: ...

    async def start(
        self, entry: Exec, console_size: tuple[int, int] = (0, 0), *, attach: bool
    ) -> hijack.Console | None: ...

    async def wait(self, exec_id: str) -> None: ...

    def detached(self, exec_id: str) -> None:
        """A client left by its detach keys."""
        ...

    async def resize(self, exec_id: str, height: int, width: int) -> None: ...


def routes(execs: Execs) -> list[Route]:
    async def create(call: Call) -> web.StreamResponse:
        spec = await call.body(ExecSpec)
        hijack.parse_keys(spec.detach_keys)
        return response.json({"Id": execs.create(call.name("id"), spec).id}, status=201)

    async def start(call: Call) -> web.StreamResponse:
        options = await call.body(ExecStart)
        exec_id = call.name("id")
        spec = execs.get(exec_id).spec
        if options.console_size != (0, 0) and not spec.tty:
            raise InvalidParameter("ConsoleSize is for an exec that was created with Tty")
        # From here to the start nothing waits: what is claimed is started.
        hijack.require_client(call)
        entry = execs.claim(exec_id)
        if options.detach:
            await execs.start(entry, options.console_size, attach=False)
            return web.Response()
        keys = (spec.detach_keys or hijack.DEFAULT_DETACH_KEYS) if spec.tty else ""
        kind = multiplex.content_type(call.version, tty=options.tty)
        # The head goes first: clients lose output that comes in one piece with it.
        async with hijack.take_over(call, kind) as (reader, writer):
            try:
                console = await execs.start(entry, options.console_size, attach=True)
            except DavitError as error:
                text = f"{error.message}\r\n".encode()
                writer.write(text if options.tty else multiplex.frame(STDERR, text))
                return hijack.Hijacked()
            assert console is not None
            try:
                left = await hijack.relay(
                    hijack.HijackedPeer(reader, writer),
                    console,
                    # The one who reads says how, whatever the exec was created with.
                    raw=options.tty,
                    tty=spec.tty,
                    stdin=spec.attach_stdin,
                    close_stdin=True,
                    streams=_streams(spec),
                    detach_keys=keys,
                )
                if left:
                    execs.detached(exec_id)
                elif not writer.is_closing():
                    # The client asks for the exit code as soon as the stream has ended.
                    await execs.wait(exec_id)
            finally:
                await console.close()
        return hijack.Hijacked()

    async def inspect(call: Call) -> web.StreamResponse:
        return response.json(_render(execs.get(call.name("id"))))

    async def resize(call: Call) -> web.StreamResponse:
        await execs.resize(call.name("id"), *size(call))
        return web.Response()

    return [
        Route("POST", "/containers/{id}/exec", create),
        Route("POST", "/exec/{id}/start", start, abort=True),
        Route("POST", "/exec/{id}/resize", resize),
        Route("GET", "/exec/{id}/json", inspect),
    ]


def _streams(spec: ExecSpec) -> frozenset[int]:
    wanted = {STDOUT: spec.attach_stdout, STDERR: spec.attach_stderr}
    return frozenset(stream for stream, is_wanted in wanted.items() if is_wanted)


def _render(entry: Exec) -> dict[str, Any]:
    """``ExecInspectResponse``."""
    spec = entry.spec
    program, *arguments = spec.argv
    return {
        "ID": entry.id,
        "Running": entry.running,
        "ExitCode": entry.exit_code,
        "ProcessConfig": {
            "tty": spec.tty,
            "entrypoint": program,
            "arguments": arguments,
            "privileged": spec.privileged,
            **({"user": spec.user} if spec.user else {}),
        },
        "OpenStdin": spec.attach_stdin,
        "OpenStderr": spec.attach_stderr,
        "OpenStdout": spec.attach_stdout,
        "CanRemove": entry.exit_code is not None,
        "ContainerID": entry.container_id,
        "DetachKeys": spec.detach_keys,
        "Pid": entry.pid,
    }
