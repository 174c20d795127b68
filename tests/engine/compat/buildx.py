"""``docker buildx``, which Debian has from 13 on; the program alone runs on older ones, too."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import tempfile
import urllib.request
from pathlib import Path

_NAME = "docker-buildx_0.13.1+ds1-3_amd64.deb"
_DIGEST = "fcf8c48204d1603c8f209451d7827eb91bf30759578baf7704e9e1a87e5f1d7f"
_CACHE = Path(__file__).parents[3] / ".cache" / "buildx"
_INSTALLED = Path("/usr/libexec/docker/cli-plugins/docker-buildx")


def plugin() -> Path | None:
    """Return the program: the installed one, or one of the mirror that apt uses; None: neither."""
    if _INSTALLED.exists():
        return _INSTALLED
    program = _CACHE / "docker-buildx"
    if not program.exists() and platform.machine() == "x86_64":
        _fetch(program)
    return program if program.exists() else None


def _fetch(program: Path) -> None:
    shown = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)"], capture_output=True, text=True
    ).stdout
    mirrors = [line.rstrip("/") for line in shown.split() if line.rstrip("/").endswith("/debian")]
    if not mirrors:
        return
    url = f"{mirrors[0]}/pool/main/d/docker-buildx/{_NAME}"
    with urllib.request.urlopen(url, timeout=120) as answer:
        package = answer.read()
    assert hashlib.sha256(package).hexdigest() == _DIGEST, f"{url} has changed"
    _CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_CACHE) as work:  # another process may be at it, too
        archive, unpacked = Path(work, _NAME), Path(work, "unpacked")
        archive.write_bytes(package)
        subprocess.run(["dpkg-deb", "-x", archive, unpacked], check=True, capture_output=True)
        (unpacked / _INSTALLED.relative_to("/")).rename(program)
