import os
import socket
from pathlib import Path

import pytest

from davit.sys import netns


def own() -> int:
    return os.stat("/proc/thread-self/ns/net").st_ino


@pytest.fixture
def namespace() -> object:
    made = netns.create()
    yield made
    os.close(made)


def test_a_fresh_namespace_has_a_loopback_and_nothing_else(namespace: int) -> None:
    before = own()
    with netns.inside(namespace):
        assert own() != before
        assert "lo" in [name for _, name in socket.if_nameindex()]
        assert not any(name.startswith("eth") for _, name in socket.if_nameindex())
        with socket.create_server(("127.0.0.1", 80)) as server:
            socket.create_connection(server.getsockname()).close()
    assert own() == before


def test_the_thread_comes_back_after_a_failure(namespace: int) -> None:
    before = own()
    with pytest.raises(RuntimeError), netns.inside(namespace):
        raise RuntimeError
    assert own() == before


def test_a_pin_keeps_a_namespace_until_unpinned(tmp_path: Path) -> None:
    pin = tmp_path / "pin"
    made = netns.create()
    inode = os.fstat(made).st_ino
    netns.pin(made, pin)
    os.close(made)
    assert netns.is_pinned(pin)
    with netns.inside(pin):
        assert own() == inode
    netns.unpin(pin)
    netns.unpin(pin)
    assert not pin.exists()


def test_the_file_of_a_pin_that_is_gone_is_no_pin(tmp_path: Path) -> None:
    (tmp_path / "pin").touch()
    assert not netns.is_pinned(tmp_path / "pin")
    assert not netns.is_pinned(tmp_path / "missing")
    with (
        pytest.raises(OSError, match="cannot enter a network namespace"),
        netns.inside(tmp_path / "pin"),
    ):
        pass


def test_a_pin_that_cannot_be_made_says_where(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="pin"), (tmp_path / "file").open("w") as file:
        netns.pin(file.fileno(), tmp_path / "missing" / "pin")
