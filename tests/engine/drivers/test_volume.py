"""Sizes of directories."""

from __future__ import annotations

import os
from pathlib import Path

from davit.drivers.volume.usage import disk_usage


def test_only_files_count_and_each_once(tmp_path: Path) -> None:
    (tmp_path / "empty/below").mkdir(parents=True)
    assert disk_usage(tmp_path) == 0
    (tmp_path / "empty/file").write_bytes(b"x" * 5000)
    os.link(tmp_path / "empty/file", tmp_path / "again")
    (tmp_path / "link").symlink_to("1234567")
    assert disk_usage(tmp_path) == 5007
    assert disk_usage(tmp_path / "gone") == 0
