"""``docs/api.md`` tells the truth, and nothing is both served and refused."""

from __future__ import annotations

import re

import pytest

from davit.api.routes import missing
from davit.api.routing import Router
from tests.engine.api import operations
from tests.engine.compat.descriptions import NEWEST, OLDEST, description


def test_the_document_is_what_the_routing_tables_say() -> None:
    assert operations.DOCUMENT.read_text() == operations.document(), (
        "write it anew: python -m tests.engine.api.operations"
    )


def test_nothing_is_both_served_and_refused() -> None:
    router = Router(operations.served())
    both = [
        operations.shown(row.method, row.path)
        for row in missing.refusals()
        if router.find(row.method, re.sub(r"\{[^}]+\}", "x", row.path)) is not None
    ]
    assert not both, "take these rows out of api/routes/missing.py"


@pytest.mark.parametrize("version", [NEWEST, OLDEST])
def test_every_described_operation_has_a_state(version: str) -> None:
    router = Router([*operations.served(), *missing.routes()])
    unknown = [
        f"{method} {target}"
        for method, target in description(version).operations()
        if router.find(method, re.sub(r"\{[^}]+\}", "x", target)) is None
    ]
    assert not unknown
