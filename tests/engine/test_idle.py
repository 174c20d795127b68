"""What davitd holds when it has nothing to do: the modules that are loaded, and the memory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.conftest import Davitd, new_davitd

# As a host's launcher has it: no docstrings, no columns for tracebacks.
_PYTHON = (sys.executable, "-OOXno_debug_ranges")
_LARGEST = 29 << 20
"""Bytes of anonymous memory; 26.4 to 27.3 MiB with Python 3.11."""
_NOT_LOADED = (
    # Each with what it would bring along.
    *("aiohttp.client", "aiohttp.connector", "aiohttp.cookiejar", "aiohttp.tracing"),
    *("csv", "dnslib", "frozenlist._frozenlist", "google.protobuf", "grpclib", "h2", "isal"),
    *("multiprocessing", "pickle", "pyroute2", "tarfile", "xml", "zipfile", "zstandard"),
    "davit.drivers.dns",
    "davit.drivers.registry.transport",
    "davit.drivers.swarmkit.connection",
    "davit.drivers.tar.pack",
    *("davit.drivers.buildkit.session", "davit.services.build.pipeline"),
    "davit.services.images.load",
    "davit.services.images.pull",
    "davit.services.images.push",
    "davit.services.swarm.agent",
    "davit.services.swarm.controller",
    "davit.spec.dockerfile.stages",
)


class _Launched(Davitd):
    """Started as on a host; its log tells what it imports."""

    def _argv(self, command: str = "serve") -> list[str]:
        _, *rest = super()._argv(command)
        return [*_PYTHON, "-Ximporttime", *rest]


@pytest.fixture(scope="module")
def idle() -> Iterator[Davitd]:
    # Compiling takes memory that is not given back; on a host it was done before.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run([*_PYTHON, "-c", "import davit.daemon"], check=True, env=environment)
    with new_davitd(kind=_Launched) as daemon:
        yield daemon


def test_what_few_hosts_need_is_not_loaded_at_the_start(idle: Davitd) -> None:
    loaded = set(re.findall(r"^import time:.*\| +(\S+)$", idle.log.read_text(), re.MULTILINE))
    assert {"aiohttp.web", "davit.drivers.netlink"} <= loaded
    assert loaded.isdisjoint(_NOT_LOADED), sorted(loaded.intersection(_NOT_LOADED))


def test_memory(idle: Davitd) -> None:
    idle.load_busybox()
    kilobytes = re.findall(
        r"^Anonymous: +(\d+) kB$",
        Path(f"/proc/{idle.pid}/smaps_rollup").read_text(),
        re.MULTILINE,
    )
    assert int(kilobytes[0]) << 10 <= _LARGEST, "see docs/performance.md, Where the memory goes"
