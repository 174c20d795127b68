"""Facts of the machine that runs the tests, compared with what other sources say."""

from __future__ import annotations

import ctypes
import os
import resource
from pathlib import Path

import pytest

from davit.errors import InvalidParameter
from davit.spec.capabilities import ALL
from davit.sys import devices, host

PR_CAPBSET_READ = 23


def test_capabilities_are_those_of_the_bounding_set() -> None:
    libc = ctypes.CDLL(None)
    held = {name for bit, name in enumerate(ALL) if libc.prctl(PR_CAPBSET_READ, bit) == 1}
    assert host.read(ALL).capabilities == held


def test_limits_are_our_own() -> None:
    facts = host.read(ALL)
    assert facts.hard_limits["nofile"] == resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert facts.architecture == os.uname().machine
    assert facts.kernel >= (5, 0)


def test_every_hierarchy_has_our_own_cgroup() -> None:
    controllers = Path("/proc/self/cgroup").read_text().splitlines()
    found = host.hierarchies()
    assert len(found) == (1 if host.cgroup_version() == 2 else len(controllers))
    assert all((path / "cgroup.procs").exists() for path in found)


def test_a_device_node() -> None:
    [null] = devices.nodes("/dev/null")
    assert (null.kind, null.major, null.minor, null.mode) == ("c", 1, 3, 0o666)


def test_a_link_keeps_the_path_that_was_asked_for(tmp_path: Path) -> None:
    link = tmp_path / "zero"
    link.symlink_to("/dev/zero")
    [zero] = devices.nodes(str(link))
    assert (zero.path, zero.major, zero.minor) == (str(link), 1, 5)


def test_a_directory_gives_all_that_it_holds(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    os.mknod(tmp_path / "below/x", 0o20600, os.makedev(1, 3))
    (tmp_path / "file").write_text("no device")
    assert [node.path for node in devices.nodes(str(tmp_path))] == [f"{tmp_path}/below/x"]


@pytest.mark.parametrize("path", ["/dev/nope", "/etc/passwd", "/proc/self/task"])
def test_what_is_no_device_is_refused(path: str) -> None:
    with pytest.raises(InvalidParameter, match=f'adding custom device "{path}"'):
        devices.nodes(path)


def test_all_nodes_are_without_terminals_of_others() -> None:
    paths = {node.path for node in devices.all_nodes()}
    assert "/dev/null" in paths
    assert not any(path.startswith(("/dev/pts/", "/dev/shm/")) for path in paths)


def test_the_umask() -> None:
    before = os.umask(0o027)
    try:
        assert host.umask() == 0o027
    finally:
        os.umask(before)
