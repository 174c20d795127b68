# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from ansible_collections.davit.fleet.plugins.module_utils._units import duration, size


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("512", 512),
        ("64k", 64 << 10),
        ("64M", 64 << 20),
        ("1.5GiB", 3 << 29),
        ("2tb", 2 << 40),
        ("-1", -1),
    ],
)
def test_size(text: str, number: int) -> None:
    assert size(text) == number


@pytest.mark.parametrize("text", ["", "64X", "M", "-2", "1,5G"])
def test_what_is_no_size_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        size(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [("30", 30 * 10**9), ("500ms", 5 * 10**8), ("1m30s", 90 * 10**9), ("1h", 3600 * 10**9)],
)
def test_duration(text: str, number: int) -> None:
    assert duration(text) == number


@pytest.mark.parametrize("text", ["", "soon", "1m 30s", "5 minutes"])
def test_what_is_no_duration_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        duration(text)
