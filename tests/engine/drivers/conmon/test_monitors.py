"""conmon and runc for real."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from davit.errors import Conflict, InvalidParameter, Unavailable
from davit.model.runtime import STDERR, STDOUT, ExecLaunch
from tests.engine.drivers.conmon.host import EXEC, ID, Host, read_all


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
    for _ in range(100):
        launched = await host.launch("echo", "early")
        console = await host.monitors.attach(ID)
        await host.monitors.start(ID)
        assert (await read_all(console))[STDOUT] == b"early\n"
        await host.monitors.wait(ID, launched)
        await host.monitors.forget(ID)


async def test_when_it_is_started_its_command_runs(host: Host) -> None:
    launched = await host.launch("sleep", "100", before="sleep 0.2; echo > /done")
    await host.monitors.start(ID)
    assert (host.bundle / "rootfs/done").exists()
    await host.monitors.kill(ID, signal.SIGKILL)
    await host.monitors.wait(ID, launched)


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
    again = await asyncio.to_thread(host.new_monitors)
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
        # runc has the second words from 1.1.15 on.
        (("/tmp",), "permission denied|is a directory"),
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
    with pytest.raises(Conflict, match="not paused"):
        await host.monitors.resume(ID)
    await host.monitors.update(ID, {"pids": {"limit": 7}})
    await host.monitors.kill(ID, signal.SIGKILL)
    assert (await host.monitors.wait(ID, launched)).exit_code == 137
