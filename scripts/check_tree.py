"""Check the rules of this repository that no linter knows.

Source files stay short, packages are complete, versions agree, and nothing of the machine that
somebody worked on is left in the files: no path of it, no package server of it.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 400
GENERATED = ("engine/src/davit/_pb/", "requirements/")
# A license or a lock file is no source; these are what people write and read.
SOURCES = {".py", ".sh"}

FOREIGN = {
    "a path of one machine": re.compile(
        r"(?<![\w.])/(work/(main|shared|\.)|tmp/(setup|claude)\b|root/\.pyenv|home/[a-z]+/)"
    ),
    "a package server": re.compile(
        r"\b(((deb|security|snapshot|ftp)\.debian|(archive|security)\.ubuntu)\.(org|com)"
        r"|pypi\.org|pythonhosted\.org|npmjs\.(org|com)|nodesource\.com)\b"
    ),
}


def main() -> int:
    """Print one line for each violation; return the exit code."""
    problems = sorted({*check_files(), *check_packages(), *check_versions()})
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def tracked() -> list[str]:
    """Return the paths git tracks or would add, below the root."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    paths = listing.stdout.split("\0")
    return [path for path in paths if path and (ROOT / path).is_file()]


def check_files() -> Iterator[str]:
    """Yield violations inside single files."""
    for path in tracked():
        try:
            text = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            for what, pattern in FOREIGN.items():
                if found := pattern.search(line):
                    yield f"{path}:{number}: {what}: {found[0]}"
        if Path(path).suffix in SOURCES and not path.startswith(GENERATED):
            lines = source_lines(path, text)
            if lines > MAX_LINES:
                yield f"{path}: {lines} lines, more than {MAX_LINES}: split it"


def source_lines(path: str, text: str) -> int:
    """Count lines; the documentation blocks that Ansible wants in a plugin do not count."""
    total = len(text.splitlines())
    if not path.startswith("plugins/"):
        return total
    blocks = (
        node.value
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    )
    return total - sum((block.end_lineno or 0) - block.lineno for block in blocks)


def check_packages() -> Iterator[str]:
    """Yield the engine's directories with modules that are no package, thus missed by mypy."""
    for directory in {path.parent for path in (ROOT / "engine/src/davit").rglob("*.py")}:
        if not (directory / "__init__.py").exists():
            yield f"{directory.relative_to(ROOT)}: no __init__.py"


def check_versions() -> Iterator[str]:
    """Yield a difference between the engine's version and the collection's."""
    engine = version_in("engine/src/davit/__init__.py", r'^__version__ = "(.+)"$')
    collection = version_in("galaxy.yml", r"^version: (.+)$")
    if engine != collection:
        yield f"galaxy.yml: version {collection}, but the engine's is {engine}"


def version_in(path: str, pattern: str) -> str:
    """Return the version that the pattern's group finds in a file."""
    found = re.search(pattern, (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else f"none in {path}"


if __name__ == "__main__":
    sys.exit(main())
