# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""The engine's releases on a host.

::

    root/releases/<version>/    a complete, byte-compiled release, never changed afterwards
    root/current                symlink to the release in use

A release appears by one rename and comes into use by another, so that a crash leaves the old state
or the new one.
"""

from __future__ import annotations

import compileall
import hashlib
import os
import py_compile
import shutil
import sys
import tarfile

from ansible_collections.davit.fleet.plugins.module_utils._preflight import (
    current_release,
    read_releases,
)


class ReleaseError(Exception):
    """The release cannot be installed or used; the text says why and what to do."""


def is_installed(root: str, version: str) -> bool:
    """Tell whether the release is there and made for the Python that runs this."""
    release = read_releases(root).get(version)
    return release is not None and release["python"] == _python()


def install(root: str, version: str, archive: str, sha256: str) -> None:
    """Unpack a bundle as a release. A release of that version for another Python is replaced."""
    with open(archive, "rb") as file:
        found = hashlib.sha256(file.read()).hexdigest()
    if found != sha256:
        raise ReleaseError(f"{archive} has the SHA-256 {found}, expected {sha256}: send it again")
    releases = os.path.join(root, "releases")
    incoming = os.path.join(releases, ".incoming")
    final = os.path.join(releases, version)
    shutil.rmtree(incoming, ignore_errors=True)
    os.makedirs(incoming)
    with tarfile.open(archive) as bundle:
        bundle.extractall(incoming)
    _set_interpreter(os.path.join(incoming, "bin", "davitd"))
    # The files never change, so there is no need to look at their times at each start.
    compileall.compile_dir(
        os.path.join(incoming, "lib"),
        stripdir=incoming,
        prependdir=final,
        quiet=2,
        optimize=2,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    os.sync()
    if os.path.isdir(final):
        outgoing = os.path.join(releases, ".outgoing")
        shutil.rmtree(outgoing, ignore_errors=True)
        os.rename(final, outgoing)
        os.rename(incoming, final)
        shutil.rmtree(outgoing)
    else:
        os.rename(incoming, final)


def activate(root: str, version: str) -> None:
    """Point ``current`` at a release, in one step."""
    link = os.path.join(root, ".current")
    if os.path.lexists(link):
        os.unlink(link)
    os.symlink(os.path.join("releases", version), link)
    os.rename(link, os.path.join(root, "current"))


def surplus(root: str, keep: int) -> list[str]:
    """Return the versions to remove so that ``keep`` others remain beside the current one.

    The oldest go first; a release is as old as its directory.
    """
    current = current_release(root)
    others = [version for version in read_releases(root) if version != current]
    others.sort(key=lambda version: os.stat(os.path.join(root, "releases", version)).st_mtime)
    return others[: max(0, len(others) - keep)]


def remove(root: str, version: str) -> None:
    """Remove a release, and the symlink when it names it."""
    if current_release(root) == version:
        os.unlink(os.path.join(root, "current"))
    shutil.rmtree(os.path.join(root, "releases", version))


def _python() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def _set_interpreter(launcher: str) -> None:
    """Make the launcher run by the Python that the bundle was chosen for.

    Without docstrings, asserts and the columns of tracebacks (from 3.11) davitd is 2 MB smaller.
    """
    with open(launcher, encoding="utf-8") as file:
        text = file.read()
    with open(launcher, "w", encoding="utf-8") as file:
        file.write(f"#!{sys.executable} -ISOOXno_debug_ranges\n{text}")
