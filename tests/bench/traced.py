"""davitd with a clock: ``python -m tests.bench.traced FILE davitd's arguments…``.

Each call of :data:`STEPS` is timed from the outside, so that the engine itself carries no clocks.
At its end it writes FILE, a JSON list of [step, first, last]: nanoseconds of the monotonic clock.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

STEPS = {
    "row, with an fsync": "store.db:Database._transact",
    "directories": "services.containers.prepare:make_directories",
    "namespace": "services.networks.connect:Sandboxes.prepare",
    "layers": "services.containers.rootfs:mount",
    "bundle": "services.containers.prepare:write_bundle",
    "conmon": "drivers.conmon.monitors:spawn",
    "runc create": "drivers.conmon.spawn:Spawned.report",
    "join networks": "services.networks.connect:Sandboxes.join",
    "veth, addresses": "services.networks.plugs:Plugs.plug_all",
    "ports": "services.networks.packet_filter:PacketFilter.publish",
    "runc start": "drivers.conmon.monitors:ConmonMonitors.start",
    "process and its end": "drivers.conmon.monitors:ConmonMonitors.wait",
    "clean-up": "services.containers.cleanup:after_exit",
    "leave networks": "services.networks.connect:Sandboxes.leave",
}
"""What is timed → where it is in ``davit``. Some of these work at the same time."""

ROW = "row, with an fsync"
ROW_ONLY = "row"


def main() -> int:
    """Run davitd; return its exit status."""
    from davit.cli import main as davitd

    output = Path(sys.argv[1])
    calls: list[tuple[str, int, int]] = []
    for step, place in STEPS.items():
        module, _, name = place.partition(":")
        owner: Any = importlib.import_module(f"davit.{module}")
        *path, last = name.split(".")
        for part in path:
            owner = getattr(owner, part)
        setattr(owner, last, _timed(getattr(owner, last), step, calls))
    try:
        return davitd(sys.argv[2:])
    finally:
        output.write_text(json.dumps(calls), encoding="utf-8")


def _timed(
    function: Callable[..., Any], step: str, calls: list[tuple[str, int, int]]
) -> Callable[..., Any]:
    def note(start: int, arguments: tuple[Any, ...]) -> None:
        plain = step == ROW and not arguments[-1]  # durable
        calls.append((ROW_ONLY if plain else step, start, time.monotonic_ns()))

    @functools.wraps(function)
    async def waits(*arguments: Any, **named: Any) -> Any:
        start = time.monotonic_ns()
        try:
            return await function(*arguments, **named)
        finally:
            note(start, arguments)

    @functools.wraps(function)
    def works(*arguments: Any, **named: Any) -> Any:
        start = time.monotonic_ns()
        try:
            return function(*arguments, **named)
        finally:
            note(start, arguments)

    return waits if inspect.iscoroutinefunction(function) else works


if __name__ == "__main__":
    sys.exit(main())
