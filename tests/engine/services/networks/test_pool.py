import asyncio
import os

import pytest

from davit.errors import SystemFailure
from davit.services.networks.pool import NamespacePool
from davit.sys import netns


async def test_namespaces_are_made_ahead() -> None:
    pool = NamespacePool(size=2)
    pool.fill()
    namespaces = [await pool.take() for _ in range(5)]
    assert len({os.fstat(each).st_ino for each in namespaces}) == 5
    for each in namespaces:
        os.close(each)
    await pool.close()


async def test_closing_leaves_no_descriptor() -> None:
    before = len(os.listdir("/proc/self/fd"))
    pool = NamespacePool(size=3)
    pool.fill()
    await asyncio.sleep(0)
    await pool.close()
    assert len(os.listdir("/proc/self/fd")) == before


async def test_a_kernel_that_refuses_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse() -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(netns, "create", refuse)
    pool = NamespacePool()
    with pytest.raises(SystemFailure, match="no network namespace: No space left on device"):
        await pool.take()
    pool.fill()
    await pool.close()
    assert "tried again with the next start" in caplog.text
