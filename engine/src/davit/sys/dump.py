"""What the process is doing right now, for its log."""

from __future__ import annotations

import asyncio
import io
import sys
import threading
import traceback


def describe() -> str:
    """Show where each task of the running loop waits, and where each other thread is."""
    text = io.StringIO()
    tasks = asyncio.all_tasks()
    text.write(f"{len(tasks)} tasks\n")
    for task in tasks:
        task.print_stack(file=text)
    frames = sys._current_frames()
    threads = [thread for thread in threading.enumerate() if thread.ident in frames]
    text.write(f"{len(threads)} threads\n")
    for thread in threads:
        if thread.ident is not None and thread is not threading.current_thread():
            text.write(f"{thread.name}:\n")
            text.writelines(traceback.format_stack(frames[thread.ident]))
    return text.getvalue()
