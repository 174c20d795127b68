"""Fixtures of the tests with other people's clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.compat.cli import programs
from tests.engine.conftest import Davitd

_PROGRAMS = programs()


@pytest.fixture(scope="module", params=_PROGRAMS.values(), ids=_PROGRAMS.keys())
def program(request: pytest.FixtureRequest) -> str:
    """The path of a Docker CLI."""
    return str(request.param)


@pytest.fixture
def davitd(shared_davitd: Davitd, program: str) -> Iterator[Davitd]:
    """The module's daemon with each CLI; every test leaves it without containers."""
    shared_davitd.cli = program
    yield shared_davitd
    ids = shared_davitd.docker("ps", "-aq").stdout.split()
    if ids:
        shared_davitd.docker("rm", "-f", "-v", *(name.decode() for name in ids))
