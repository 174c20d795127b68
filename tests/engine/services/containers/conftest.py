"""A world with the image busybox; nothing of its containers may stay behind."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.engine.services.containers.world import World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    # Short, because a unix socket's path has 108 bytes at most.
    root = Path(tempfile.mkdtemp(prefix="dvc"))
    made = World(root)
    await made.open()
    await made.load()
    try:
        yield made
    finally:
        await made.close()
        left = made.traces()
        shutil.rmtree(root, ignore_errors=True)
    assert left == []
