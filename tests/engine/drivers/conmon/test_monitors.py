"""conmon and runc for real, on a root file system that is busybox and nothing else."""

import asyncio
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from davit.drivers.conmon import ConmonMonitors
from davit.drivers.conmon.layout import Layout
from davit.drivers.conmon.runtime import Runtime
from davit.errors import Conflict, InvalidParameter, Unavailable
from davit.model.runtime import STDERR, STDOUT, ExecLaunch, Launch, Launched

ID = "c" * 64
EXEC = "e" * 64
NAMESPACES = [{"type": kind} for kind in ("pid", "mount", "uts", "ipc", "network")]


class Host:
    def __init__(self, root: Path) -> None:
        self.layout = Layout(
            bundles=root / "containers",
            execs=root / "execs",
            exits=root / "exits",
            sockets=root / "s",
            runtime_root=root / "runtime",
        )
        self.layout.make()
        self.monitors = ConmonMonitors(
            "conmon", Runtime("runc", self.layout.runtime_root), self.layout
        )
        self.log = root / "log"
        self.bundle = self.layout.bundles / ID
        (self.bundle / "rootfs/bin").mkdir(parents=True)
        for directory in ("proc", "dev", "tmp"):
            (self.bundle / "rootfs" / directory).mkdir()
        shutil.copy("/bin/busybox", self.bundle / "rootfs/bin/busybox")
        for applet in ("sh", "cat", "echo", "sleep", "stty", "true"):
            (self.bundle / "rootfs/bin" / applet).symlink_to("busybox")

    def process(self, *argv: str, terminal: bool = False) -> dict[str, Any]:
        return {
            "args": argv,
            "cwd": "/",
            "env": ["PATH=/bin"],
            "terminal": terminal,
            "user": {"uid": 0, "gid": 0},
        }

    async def launch(self, *argv: str, terminal: bool = False, stdin: bool = False) -> Launched:
        specification = {
            "ociVersion": "1.0.2",
            "root": {"path": "rootfs"},
            "process": self.process(*argv, terminal=terminal),
            "mounts": [
                {"type": "proc", "source": "proc", "destination": "/proc"},
                {"type": "tmpfs", "source": "tmpfs", "destination": "/dev"},
                {"type": "devpts", "source": "devpts", "destination": "/dev/pts"},
            ],
            "linux": {"namespaces": NAMESPACES, "cgroupsPath": f"/davit-test-{os.getpid()}/{ID}"},
        }
        (self.bundle / "config.json").write_text(json.dumps(specification))
        return await self.monitors.launch(
            Launch(
                container_id=ID,
                bundle=str(self.bundle),
                log=str(self.log),
                terminal=terminal,
                stdin=stdin,
                stdin_once=True,
            )
        )


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    host = Host(tmp_path)
    yield host
    await host.monitors.forget(ID)
    assert list(host.layout.runtime_root.iterdir()) == []
    assert list(host.layout.exits.iterdir()) == []
    assert list(host.layout.sockets.iterdir()) == []
    for hierarchy in Path("/sys/fs/cgroup").glob(f"*/davit-test-{os.getpid()}"):
        assert [entry for entry in hierarchy.iterdir() if entry.is_dir()] == []
        hierarchy.rmdir()


async def read_all(console: Any) -> dict[int, bytes]:
    received = {STDOUT: b"", STDERR: b""}
    while (chunk := await console.read()) is not None:
        received[chunk[0]] += chunk[1]
    await console.close()
    return received


async def test_streams_log_and_exit_code(host: Host) -> None:
    launched = await host.launch("sh", "-c", "echo out; echo err >&2; exit 7")
    console = await host.monitors.attach(ID)
    assert host.monitors.is_alive(launched)
    await host.monitors.start(ID)
    assert await read_all(console) == {STDOUT: b"out\n", STDERR: b"err\n"}
    ended = await host.monitors.wait(ID, launched)
    assert (ended.exit_code, ended.error, ended.oom_killed) == (7, "", False)
    assert not host.monitors.is_alive(launched)
    assert [line.split(" ", 1)[1] for line in host.log.read_text().splitlines()] == [
        "stdout F out",
        "stderr F err",
    ]


async def test_attached_before_the_start_nothing_is_lost(host: Host) -> None:
    for _ in range(20):
        launched = await host.launch("echo", "early")
        console = await host.monitors.attach(ID)
        await host.monitors.start(ID)
        assert (await read_all(console))[STDOUT] == b"early\n"
        await host.monitors.wait(ID, launched)
        await host.monitors.forget(ID)


async def test_stdin_reaches_its_end(host: Host) -> None:
    launched = await host.launch("cat", stdin=True)
    console = await host.monitors.attach(ID)
    await host.monitors.start(ID)
    sent = os.urandom(100_000)
    await console.write(sent)
    await console.close_stdin()
    assert (await read_all(console))[STDOUT] == sent
    assert (await host.monitors.wait(ID, launched)).exit_code == 0


async def test_a_terminal_has_the_size_it_was_given(host: Host) -> None:
    launched = await host.launch("sh", "-c", "read go; stty size", terminal=True, stdin=True)
    console = await host.monitors.attach(ID)
    await host.monitors.resize(ID, 33, 77)
    await host.monitors.start(ID)
    await console.write(b"go\n")
    assert b"33 77\r\n" in (await read_all(console))[STDOUT]
    await host.monitors.wait(ID, launched)


async def test_a_signal_is_128_and_its_number(host: Host) -> None:
    launched = await host.launch("sleep", "100")
    await host.monitors.start(ID)
    await host.monitors.kill(ID, signal.SIGKILL)
    assert (await host.monitors.wait(ID, launched)).exit_code == 128 + signal.SIGKILL
    with pytest.raises(Conflict, match=f"cannot kill container {ID}"):
        await host.monitors.kill(ID, signal.SIGKILL)


async def test_waiting_again_as_after_a_restart_of_davitd(host: Host) -> None:
    launched = await host.launch("sh", "-c", "exit 3")
    await host.monitors.start(ID)
    first = await host.monitors.wait(ID, launched)
    again = ConmonMonitors("conmon", Runtime("runc", host.layout.runtime_root), host.layout)
    assert await again.wait(ID, launched) == first


async def test_a_killed_monitor_is_an_error_and_takes_nothing_along(host: Host) -> None:
    launched = await host.launch("sleep", "100")
    await host.monitors.start(ID)
    os.kill(launched.conmon_pid, signal.SIGKILL)
    ended = await host.monitors.wait(ID, launched)
    assert "monitor (conmon) was killed" in ended.error
    await host.monitors.forget(ID)
    assert not Path(f"/proc/{launched.pid}/root/bin").exists()


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("nothing-of-that-name",), "executable file not found"),
        (("/tmp",), "permission denied"),
    ],
)
async def test_a_command_that_cannot_run(host: Host, argv: tuple[str], words: str) -> None:
    with pytest.raises(InvalidParameter, match=words):
        await host.launch(*argv)


async def test_a_missing_conmon_is_named(host: Host) -> None:
    host.monitors._conmon = "/nowhere/conmon"
    with pytest.raises(Unavailable, match="/nowhere/conmon is not installed"):
        await host.launch("true")


async def test_exec(host: Host) -> None:
    launched = await host.launch("sleep", "100")
    await host.monitors.start(ID)
    process = json.dumps(host.process("sh", "-c", "cat; echo err >&2; exit 5")).encode()
    ran = await host.monitors.exec(
        ExecLaunch(
            exec_id=EXEC,
            container_id=ID,
            bundle=str(host.bundle),
            process=process,
            stdin=True,
        )
    )
    console = await host.monitors.attach(EXEC)
    await console.write(b"to and fro")
    await console.close_stdin()
    assert await read_all(console) == {STDOUT: b"to and fro", STDERR: b"err\n"}
    assert (await host.monitors.wait(EXEC, ran)).exit_code == 5
    await host.monitors.forget(EXEC)
    assert list(host.layout.execs.iterdir()) == []
    assert host.monitors.is_alive(launched)


async def test_a_quick_exec_loses_nothing(host: Host) -> None:
    await host.launch("sleep", "100")
    await host.monitors.start(ID)
    for _ in range(10):
        ran = await host.monitors.exec(
            ExecLaunch(
                exec_id=EXEC,
                container_id=ID,
                bundle=str(host.bundle),
                process=json.dumps(host.process("echo", "quick")).encode(),
            )
        )
        await asyncio.sleep(0)
        console = await host.monitors.attach(EXEC)
        assert (await read_all(console))[STDOUT] == b"quick\n"
        assert (await host.monitors.wait(EXEC, ran)).exit_code == 0
        await host.monitors.forget(EXEC)


async def test_an_exec_that_cannot_run_leaves_nothing(host: Host) -> None:
    await host.launch("sleep", "100")
    await host.monitors.start(ID)
    with pytest.raises(InvalidParameter, match="executable file not found"):
        await host.monitors.exec(
            ExecLaunch(
                exec_id=EXEC,
                container_id=ID,
                bundle=str(host.bundle),
                process=json.dumps(host.process("nothing-of-that-name")).encode(),
            )
        )
    assert list(host.layout.execs.iterdir()) == []


async def test_pause_and_resume(host: Host) -> None:
    launched = await host.launch("sleep", "100")
    await host.monitors.start(ID)
    await host.monitors.pause(ID)
    await host.monitors.resume(ID)
    await host.monitors.update(ID, {"pids": {"limit": 7}})
    await host.monitors.kill(ID, signal.SIGKILL)
    assert (await host.monitors.wait(ID, launched)).exit_code == 137
