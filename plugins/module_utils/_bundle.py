# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Make the engine's bundle on the controller.

A bundle is a tar.gz of one directory::

    bin/davitd      launcher; release.json's interpreter line is added on the host
    lib/            davit and every package that it imports, for one Python and architecture
    release.json    {"version", "python", "architecture"}

Its version carries a hash of the engine's sources and of the pinned requirements, so that any
change of either is a release of its own, and equal inputs give equal bytes.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

FORMAT = b"davit-bundle-1"

LAUNCHER = """\
\"\"\"Start davitd from the release that this file is part of.

The interpreter runs isolated (-IS): only the standard library and this release's lib are seen.
\"\"\"

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))

from davit.cli import main  # noqa: E402

sys.exit(main())
"""


class BundleError(Exception):
    """The bundle cannot be made; the text says why and what to do."""


@dataclass(frozen=True)
class Target:
    """What the bundle runs on: python "3.11", architecture "x86_64", libc ("glibc", "2.36")."""

    python: str
    architecture: str
    libc: tuple[str, str]


@dataclass(frozen=True)
class Bundle:
    version: str
    path: Path

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def describe(source: Path, requirements: Path, cache: Path, target: Target) -> Bundle:
    """Return the bundle that these inputs give, whether it has been made or not.

    source: the engine's directory (with src/davit); requirements: its pinned requirements.
    """
    package = source / "src" / "davit"
    try:
        declared = re.search(
            r'^__version__ = "(.+)"$', (package / "__init__.py").read_text(), re.MULTILINE
        )
        pins = requirements.read_bytes()
    except FileNotFoundError as error:
        raise BundleError(
            f"{error.filename} not found: davit_engine_source has to be the engine's directory "
            "and davit_engine_requirements its pins"
        ) from error
    if declared is None:
        raise BundleError(f"{package}/__init__.py sets no __version__")
    digest = hashlib.sha256(FORMAT + LAUNCHER.encode() + pins)
    for path in _sources(package):
        digest.update(f"{path.relative_to(package)}\0".encode() + path.read_bytes())
    version = f"{declared[1]}+{digest.hexdigest()[:8]}"
    name = f"davit-{version}-py{target.python}-{target.architecture}-{target.libc[0]}.tar.gz"
    return Bundle(version, cache / name)


def make(bundle: Bundle, source: Path, requirements: Path, target: Target) -> bool:
    """Make the bundle unless it is there; return whether it was made.

    Hosts ask for their bundles at the same time: the first makes it, the others wait.
    """
    bundle.path.parent.mkdir(parents=True, exist_ok=True)
    with open(bundle.path.with_suffix(".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if bundle.path.exists():
            return False
        wheels = _download(_pins(requirements, target), bundle.path.parent, target)
        with tempfile.TemporaryDirectory(prefix="davit-bundle-") as scratch:
            tree = Path(scratch, "tree")
            for wheel in sorted(wheels.glob("*.whl")):
                _unpack_wheel(wheel, tree / "lib")
            _copy_engine(source / "src" / "davit", tree, bundle.version)
            release = {
                "version": bundle.version,
                "python": target.python,
                "architecture": target.architecture,
            }
            (tree / "release.json").write_text(json.dumps(release, indent=2) + "\n")
            _pack(tree, bundle.path)
    return True


def _sources(package: Path) -> list[Path]:
    return sorted(
        path
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    )


def _copy_engine(package: Path, tree: Path, version: str) -> None:
    for path in _sources(package):
        copy = tree / "lib" / "davit" / path.relative_to(package)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    init = tree / "lib" / "davit" / "__init__.py"
    # The release reports its whole version, so that a health check can tell it from the one before.
    init.write_text(
        re.sub(r'(?m)^__version__ = ".+"$', f'__version__ = "{version}"', init.read_text())
    )
    launcher = tree / "bin" / "davitd"
    launcher.parent.mkdir()
    launcher.write_text(LAUNCHER)
    launcher.chmod(0o755)


def _pins(requirements: Path, target: Target) -> list[str]:
    """Return "name==version" for each requirement whose marker holds on the target.

    pip evaluates markers for the Python that runs it, even when it downloads for another.
    """
    try:
        from packaging.requirements import Requirement
    except ImportError as error:
        raise BundleError(
            f"{sys.executable} lacks the module packaging, which comes with ansible-core: "
            "run Ansible from an environment made by pip"
        ) from error
    environment = {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": target.architecture,
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{target.python}.0",
        "python_version": target.python,
        "sys_platform": "linux",
    }
    pins = []
    for line in requirements.read_text().splitlines():
        text = line.partition("#")[0].strip()
        if text:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate(environment):
                pins.append(f"{requirement.name}{requirement.specifier}")
    return pins


def _platforms(target: Target) -> list[str]:
    name, version = target.libc
    if name == "musl":
        return [f"musllinux_1_{minor}_{target.architecture}" for minor in (2, 1)]
    newest = int(version.split(".")[1])
    # PEP 600: a wheel for an older glibc runs on a newer one; 2.17 is manylinux2014.
    tags = [f"manylinux_2_{minor}_{target.architecture}" for minor in range(newest, 4, -1)]
    return [*tags, f"manylinux2014_{target.architecture}"]


def _download(pins: list[str], cache: Path, target: Target) -> Path:
    """Return a directory with the pinned wheels; it is kept for the next bundle."""
    wanted = ["--implementation", "cp", "--python-version", target.python]
    for platform in _platforms(target):
        wanted += ["--platform", platform]
    digest = hashlib.sha256("\0".join([*wanted, *pins]).encode()).hexdigest()
    wheels = cache / f"wheels-{digest[:16]}"
    if wheels.is_dir():
        return wheels
    partial = wheels.with_suffix(".part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--only-binary=:all:", "--dest", str(partial)]
    done = subprocess.run(
        [*command, *wanted, *pins],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        raise BundleError(
            f"pip could not download the engine's requirements for Python {target.python} on "
            f"{target.architecture}: {done.stderr.strip()}"
        )
    return partial.rename(wheels)


def _unpack_wheel(wheel: Path, lib: Path) -> None:
    """Unpack a wheel as an installer would, without scripts and headers (PEP 427)."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            parts = Path(name).parts
            if name.endswith("/") or parts[-1] == "RECORD":
                continue
            if parts[0].endswith(".data"):
                if parts[1] not in ("purelib", "platlib"):
                    continue
                parts = parts[2:]
            target = lib.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(name))


def _pack(tree: Path, destination: Path) -> None:
    """Write a tar.gz whose bytes depend on the tree's names and contents only."""
    partial = destination.with_suffix(".part")
    with open(partial, "wb") as raw:
        packed = gzip.GzipFile("", "wb", 6, raw, mtime=0)
        with packed, tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for path in sorted(tree.rglob("*")):
                name = str(path.relative_to(tree))
                archive.add(path, name, recursive=False, filter=_normalise)
        raw.flush()
        os.fsync(raw.fileno())
    partial.rename(destination)


def _normalise(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = "root"
    entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
    return entry
