"""The bundle's version and bytes follow from what goes into it."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from ansible_collections.davit.fleet.plugins.module_utils import _bundle

TARGET = _bundle.Target("3.12", "x86_64", ("glibc", "2.36"))


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    package = tmp_path / "engine" / "src" / "davit"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('"""An engine."""\n\n__version__ = "1.2.3"\n')
    (package / "cli.py").write_text("def main():\n    return 0\n")
    return tmp_path / "engine"


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    path = tmp_path / "engine.txt"
    path.write_text("# nothing\n")
    return path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache, and no wheels: nothing is downloaded."""
    empty = tmp_path / "wheels"
    empty.mkdir()
    monkeypatch.setattr(_bundle, "_download", lambda pins, cache, target: empty)
    return tmp_path / "cache"


def test_version_carries_the_declared_version_and_a_hash(engine, requirements, cache):
    bundle = _bundle.describe(engine, requirements, cache, TARGET)
    assert bundle.version.startswith("1.2.3+")
    assert bundle.path.name == f"davit-{bundle.version}-py3.12-x86_64-glibc.tar.gz"


def test_version_changes_with_the_sources(engine, requirements, cache):
    before = _bundle.describe(engine, requirements, cache, TARGET).version
    (engine / "src" / "davit" / "cli.py").write_text("def main():\n    return 1\n")
    assert _bundle.describe(engine, requirements, cache, TARGET).version != before


def test_version_changes_with_the_pins(engine, requirements, cache):
    before = _bundle.describe(engine, requirements, cache, TARGET).version
    requirements.write_text("aiohttp==1.0\n")
    assert _bundle.describe(engine, requirements, cache, TARGET).version != before


def test_version_ignores_byte_code(engine, requirements, cache):
    before = _bundle.describe(engine, requirements, cache, TARGET).version
    (engine / "src" / "davit" / "__pycache__").mkdir()
    (engine / "src" / "davit" / "__pycache__" / "cli.cpython-311.pyc").write_bytes(b"code")
    assert _bundle.describe(engine, requirements, cache, TARGET).version == before


def test_made_once(engine, requirements, cache):
    bundle = _bundle.describe(engine, requirements, cache, TARGET)
    assert _bundle.make(bundle, engine, requirements, TARGET) is True
    assert _bundle.make(bundle, engine, requirements, TARGET) is False


def test_equal_inputs_give_equal_bytes(engine, requirements, cache):
    bundle = _bundle.describe(engine, requirements, cache, TARGET)
    _bundle.make(bundle, engine, requirements, TARGET)
    first = bundle.sha256
    bundle.path.unlink()
    (engine / "src" / "davit" / "cli.py").touch()
    _bundle.make(bundle, engine, requirements, TARGET)
    assert bundle.sha256 == first


def test_contents(engine, requirements, cache):
    bundle = _bundle.describe(engine, requirements, cache, TARGET)
    _bundle.make(bundle, engine, requirements, TARGET)
    with tarfile.open(bundle.path) as archive:
        names = archive.getnames()
        init = archive.extractfile("lib/davit/__init__.py").read().decode()
        assert archive.getmember("bin/davitd").mode == 0o755
    assert {"bin/davitd", "lib/davit/cli.py", "release.json"} <= set(names)
    assert f'__version__ = "{bundle.version}"' in init


def test_a_directory_without_an_engine_is_refused(tmp_path, requirements, cache):
    with pytest.raises(_bundle.BundleError, match=r"__init__\.py not found.*davit_engine_source"):
        _bundle.describe(tmp_path, requirements, cache, TARGET)


def test_markers_are_those_of_the_target(requirements):
    requirements.write_text(
        "tomli==2.5.0 ; python_full_version < '3.11'  # via davit\n"
        "aiohttp==3.14.5\n"
        "win-inet-pton==1.1.0 ; sys_platform == 'win32'\n"
    )
    old = _bundle.Target("3.10", "aarch64", ("glibc", "2.35"))
    assert _bundle._pins(requirements, old) == ["tomli==2.5.0", "aiohttp==3.14.5"]
    assert _bundle._pins(requirements, TARGET) == ["aiohttp==3.14.5"]


def test_platforms_reach_up_to_the_hosts_libc():
    platforms = _bundle._platforms(TARGET)
    assert platforms[0] == "manylinux_2_36_x86_64"
    assert "manylinux_2_17_x86_64" in platforms
    assert "manylinux_2_37_x86_64" not in platforms


def test_platforms_of_musl():
    platforms = _bundle._platforms(_bundle.Target("3.12", "aarch64", ("musl", "")))
    assert platforms == ["musllinux_1_2_aarch64", "musllinux_1_1_aarch64"]
