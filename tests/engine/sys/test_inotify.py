"""Watches on files."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from davit.sys.inotify import Watches


async def test_the_end_of_the_last_watch_does_not_hold_up_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed_by: asyncio.Queue[threading.Thread] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    close = os.close

    def told(descriptor: int) -> None:
        if os.readlink(f"/proc/self/fd/{descriptor}") == "anon_inode:inotify":
            loop.call_soon_threadsafe(closed_by.put_nowait, threading.current_thread())
        close(descriptor)

    monkeypatch.setattr(os, "close", told)
    with Watches().changed(tmp_path):
        pass
    closer = await asyncio.wait_for(closed_by.get(), 10)
    assert closer is not threading.main_thread()
