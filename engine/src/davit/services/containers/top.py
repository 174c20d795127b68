"""The processes of a container, as ps(1) of the host tells them."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path

from davit.errors import Conflict, InvalidParameter
from davit.model.container import Processes, Status
from davit.services.containers import prepare
from davit.services.containers.context import Context
from davit.sys import host, process

_DEFAULT_ARGUMENTS = "-ef"


async def top(ctx: Context, reference: str, arguments: str = "") -> Processes:
    """Run ``ps`` and keep the container's lines. arguments: of ps, ``-ef`` when empty.

    Raises NotFound, Conflict (does not run), InvalidParameter (arguments that ps refuses, or that
    show no PID), Unavailable (no ps on the host).
    """
    container = ctx.store.get(reference)
    if container.state.status is Status.RESTARTING or not container.state.status.is_running:
        raise Conflict(f"container {container.id} is not running")
    try:
        words = shlex.split(arguments or _DEFAULT_ARGUMENTS)
    except ValueError as error:
        raise InvalidParameter(f"invalid ps_args {arguments!r}: {error}") from None
    below = prepare.cgroups_path(ctx.settings, container).strip("/")
    pids = await asyncio.to_thread(_pids, below)
    done = await process.run(["ps", *words])
    if done.status:
        raise InvalidParameter(f"ps {arguments} failed: {done.reason}")
    ctx.announce(container, "top")
    return select(done.stdout.decode(errors="replace"), pids)


def select(output: str, pids: set[int]) -> Processes:
    """Keep the lines of these processes. Pure. Raises InvalidParameter when there is no PID."""
    lines = output.splitlines()
    titles = lines[0].split() if lines else []
    if "PID" not in titles:
        raise InvalidParameter("Couldn't find PID field in ps output: ask for that column, too")
    column = titles.index("PID")
    rows = []
    for line in lines[1:]:
        # The last column is the command, which has blanks of its own.
        fields = line.split(None, len(titles) - 1)
        if len(fields) > column and fields[column].isdecimal() and int(fields[column]) in pids:
            rows.append(fields)
    return Processes(titles=titles, processes=rows)


def _pids(below: str) -> set[int]:
    """PIDs in a cgroup and in those below it. Blocking."""
    for hierarchy in host.hierarchies():
        files = [hierarchy / below / "cgroup.procs", *(hierarchy / below).glob("**/cgroup.procs")]
        if files[0].exists():
            return {int(pid) for file in files for pid in _read(file).split()}
    return set()


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except FileNotFoundError:
        return ""
