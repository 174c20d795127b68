"""The signals that davitd is told by."""

from __future__ import annotations

import asyncio
import logging
import signal

from davit.sys import dump

logger = logging.getLogger(__name__)


def watch() -> tuple[asyncio.Event, asyncio.Event]:
    """Return what SIGTERM and SIGINT set, and what SIGHUP sets. SIGUSR1 tells what goes on."""
    stopping, reloading = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    loop.add_signal_handler(signal.SIGHUP, reloading.set)
    loop.add_signal_handler(signal.SIGUSR1, lambda: logger.info("SIGUSR1: %s", dump.describe()))
    return stopping, reloading
