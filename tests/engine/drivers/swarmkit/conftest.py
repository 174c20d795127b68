"""One real manager for all tests of the wire."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.swarmbed import Manager, managers


@pytest.fixture(scope="module")
def manager() -> Iterator[Manager]:
    with managers(1) as (first,):
        yield first
