"""What goes wrong between davitd, conmon and the runtime, and what must not be left of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from davit.errors import SystemFailure
from davit.model.runtime import Launched
from davit.sys import pidfd
from tests.engine.drivers.conmon.host import ID, Host

STUBS = Path(__file__).parents[2] / "stubs"


@pytest.mark.parametrize(
    ("conmon", "runtime", "words"),
    [
        ("conmon-refuses", "runc", "conmon ended with status 1: conmon: option parsing failed"),
        ("conmon-silent", "runc", "conmon ended without reporting what became of the container"),
        ("conmon", "runc-fails", '^cannot write "memory.max": no space$'),
    ],
)
async def test_a_failure_has_the_words_of_who_failed(
    host: Host, conmon: str, runtime: str, words: str
) -> None:
    if conmon != "conmon":
        conmon = str(STUBS / conmon)
    if runtime != "runc":
        runtime = str(STUBS / runtime)
    host.monitors = await asyncio.to_thread(host.new_monitors, conmon, runtime)
    with pytest.raises(SystemFailure, match=words):
        await host.launch("true")


async def test_a_runtime_that_hangs_is_killed_when_nobody_waits_any_more(host: Host) -> None:
    host.monitors = await asyncio.to_thread(host.new_monitors, "conmon", str(STUBS / "runc-hangs"))
    host.monitors.patience = 0.5
    launching = asyncio.create_task(host.launch("true"))
    await asyncio.to_thread(until_exists, host.bundle / "conmon.pid")
    monitor = int(await asyncio.to_thread((host.bundle / "conmon.pid").read_text))
    assert pidfd.start_ticks(monitor) is not None
    launching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await launching
    assert pidfd.start_ticks(monitor) is None


@pytest.mark.parametrize("moment", ["", "containers/{}/conmon.pid", "runtime/{}"])
async def test_a_launch_that_is_cancelled_leaves_nothing(host: Host, moment: str) -> None:
    """At once; when conmon runs; when the runtime has begun."""
    launching = asyncio.create_task(host.launch("sleep", "100"))
    await asyncio.sleep(0)
    await asyncio.to_thread(until_exists, host.layout.bundles.parent / moment.format(ID))
    launching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await launching
    assert await asyncio.to_thread(processes_of, host) == []


async def test_forgetting_before_the_start_leaves_nothing(host: Host) -> None:
    await host.launch("sleep", "100")
    await host.monitors.forget(ID)
    assert await asyncio.to_thread(processes_of, host) == []
    await host.monitors.forget(ID)


async def test_out_of_memory_is_told(host: Host) -> None:
    # The shell doubles a text until the kernel ends it.
    script = "x=0123456789; while :; do x=$x$x; done"
    launched = await host.launch("sh", "-c", script, memory=8 << 20)
    await host.monitors.start(ID)
    ended = await host.monitors.wait(ID, launched)
    assert (ended.exit_code, ended.oom_killed) == (128 + signal.SIGKILL, True)


async def test_a_container_outlives_the_process_that_launched_it(host: Host) -> None:
    """davitd is killed; another one finds the container, its log and its exit code."""
    script = textwrap.dedent(f"""
        import asyncio, json, msgspec, os, pathlib, signal
        from tests.engine.drivers.conmon.host import ID, Host
        async def main():
            host = Host(pathlib.Path({str(host.layout.bundles.parent)!r}))
            launched = await host.launch("sh", "-c", "echo before; read go; echo after; exit 9",
                                         stdin=True)
            await host.monitors.start(ID)
            print(json.dumps(msgspec.to_builtins(launched)), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        asyncio.run(main())
    """)
    await asyncio.to_thread(subprocess.run, ["rm", "-rf", host.bundle], check=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=subprocess.PIPE, cwd=Path(__file__).parents[4]
    )
    output, _ = await process.communicate()
    assert process.returncode == -signal.SIGKILL
    launched = Launched(**json.loads(output))
    assert host.monitors.is_alive(launched)
    # The first client's end did not close standard input: nobody was attached.
    console = await host.monitors.attach(ID)
    await console.write(b"go\n")
    assert (await host.monitors.wait(ID, launched)).exit_code == 9
    await console.close()
    log = await asyncio.to_thread(host.log.read_text)
    assert [line.split(" ", 3)[3] for line in log.splitlines()] == ["before", "after"]


def processes_of(host: Host) -> list[str]:
    """Command lines of all processes that name a path of this host's."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if os.fsencode(host.layout.bundles.parent) in line and entry.name != str(os.getpid()):
            found.append(line.replace(b"\0", b" ").decode())
    return found


def until_exists(path: Path) -> None:
    """The file comes in a moment; a test's own time limit ends the wait otherwise."""
    while not path.exists():
        time.sleep(0.001)
