"""Releases on a host: installed, used, pruned and removed."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from ansible_collections.davit.fleet.plugins.module_utils import _preflight, _release

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"


def bundle(path: Path, version: str, python: str = PYTHON) -> str:
    """Write a bundle whose davitd prints its version; return its hash."""
    release = {"version": version, "python": python, "architecture": "x86_64"}
    contents = {
        "bin/davitd": b"import sys\nprint('davitd')\n",
        "lib/davit/__init__.py": b"",
        "release.json": json.dumps(release).encode(),
    }
    with tarfile.open(path, "w:gz") as archive:
        for name, data in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            entry.mode = 0o755
            archive.addfile(entry, io.BytesIO(data))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def install(root: Path, version: str, python: str = PYTHON) -> None:
    archive = root.with_name("bundle.tar.gz")
    _release.install(str(root), version, str(archive), bundle(archive, version, python))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "davit"


def test_install_and_use(root):
    install(root, "1+a")
    _release.activate(str(root), "1+a")
    assert _preflight.current_release(str(root)) == "1+a"
    done = subprocess.run(
        [root / "current" / "bin" / "davitd"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "davitd\n"
    assert list((root / "releases" / "1+a" / "lib" / "davit").rglob("*.pyc"))
    assert sorted(os.listdir(root / "releases")) == ["1+a"]


def test_a_damaged_bundle_leaves_nothing(root, tmp_path):
    archive = tmp_path / "bundle.tar.gz"
    bundle(archive, "1+a")
    with pytest.raises(_release.ReleaseError, match="send it again"):
        _release.install(str(root), "1+a", str(archive), "0" * 64)
    assert not root.exists()


def test_a_release_for_another_python_counts_as_missing_and_is_replaced(root):
    install(root, "1+a", python="3.1")
    assert not _release.is_installed(str(root), "1+a")
    install(root, "1+a")
    assert _release.is_installed(str(root), "1+a")
    assert sorted(os.listdir(root / "releases")) == ["1+a"]


def test_half_a_release_counts_as_missing(root):
    install(root, "1+a")
    (root / "releases" / "1+a" / "release.json").unlink()
    assert _preflight.read_releases(str(root)) == {}


def test_surplus_spares_the_current_and_the_newest(root):
    for age, version in enumerate(["1+a", "1+b", "1+c", "1+d"]):
        install(root, version)
        os.utime(root / "releases" / version, (age, age))
    _release.activate(str(root), "1+a")
    assert _release.surplus(str(root), keep=1) == ["1+b", "1+c"]
    assert _release.surplus(str(root), keep=5) == []


def test_remove_the_current_one(root):
    install(root, "1+a")
    _release.activate(str(root), "1+a")
    _release.remove(str(root), "1+a")
    assert _preflight.current_release(str(root)) is None
    assert not os.path.lexists(root / "current")


def test_nothing_there(root):
    assert _preflight.read_releases(str(root)) == {}
    assert _preflight.current_release(str(root)) is None
