from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from tests.engine.drivers.conmon.host import ID, Host


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    host = Host(tmp_path)
    with blockbuster_ctx("davit"):
        yield host
    await host.monitors.forget(ID)
    assert list(host.layout.runtime_root.iterdir()) == []
    assert list(host.layout.exits.iterdir()) == []
    assert list(host.layout.sockets.iterdir()) == []
    for hierarchy in Path("/sys/fs/cgroup").glob(f"*/{host.cgroup}"):
        assert [entry for entry in hierarchy.iterdir() if entry.is_dir()] == []
        hierarchy.rmdir()
