"""Starting an exec over a taken-over connection, without a container."""

from __future__ import annotations

import asyncio

from davit.api.routes import exec as exec_routes
from davit.errors import SystemFailure
from davit.model.exec import Exec, ExecSpec
from tests.engine.api.conftest import Serve
from tests.engine.client import demultiplex


class SlowExecs:
    """An exec that fails to start, once the client has read the head of the answer."""

    def __init__(self) -> None:
        self.head_was_read = asyncio.Event()
        self.entry = Exec(id="e", container_id="c", spec=ExecSpec(cmd=["x"]))

    def get(self, exec_id: str) -> Exec:
        return self.entry

    def create(self, reference: str, spec: ExecSpec) -> Exec:
        return self.entry

    def claim(self, exec_id: str) -> Exec:
        return self.entry

    async def start(
        self, entry: Exec, console_size: tuple[int, int] = (0, 0), *, attach: bool
    ) -> None:
        await asyncio.wait_for(self.head_was_read.wait(), 10)
        raise SystemFailure("it does not start")

    async def wait(self, exec_id: str) -> None:
        raise AssertionError("it has not started")

    async def resize(self, exec_id: str, height: int, width: int) -> None:
        raise AssertionError("it has not started")


async def test_the_head_comes_before_the_process_runs(serve: Serve) -> None:
    execs = SlowExecs()
    path = await serve(exec_routes.routes(execs))
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(
        b"POST /exec/e/start HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
        b"Content-Length: 2\r\n\r\n{}"
    )
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert head.startswith(b"HTTP/1.1 101 UPGRADED\r\n")
    execs.head_was_read.set()
    assert demultiplex(await reader.read()) == (b"", b"it does not start\r\n")
    writer.close()
    await writer.wait_closed()
