"""docker-py's integration suite: fetched as a dependency, run in one process, read as verdicts.

The suite comes with the source distribution of docker-py 7.0.0 (later ones leave it out). pip
fetches it, and checks it by the digest in ``requirements/docker-py-suite.txt``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-compat/bin/python"
REQUIREMENT = ROOT / "requirements/docker-py-suite.txt"
CACHE = ROOT / ".cache/docker-py"
TEST_SECONDS = 60
OVER_TCP = ("-k", "socket_ws")


@dataclass(frozen=True)
class Verdict:
    """What became of one test. outcome: passed, failed or skipped; text: why not passed."""

    outcome: str
    text: str = ""
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return self.outcome == "passed"


def fetch() -> Path:
    """Return the directory that holds the suite as ``tests``; download it when it is missing."""
    tree = CACHE / REQUIREMENT.read_text(encoding="utf-8").split()[0].replace("==", "-")
    if tree.exists():
        return tree
    downloads = CACHE / "downloads"
    subprocess.run(
        [
            *(PYTHON, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"),
            *("--no-deps", "--no-binary", ":all:", "--no-build-isolation"),
            *("--requirement", REQUIREMENT, "--dest", downloads),
        ],
        check=True,
    )
    (archive,) = downloads.glob(f"{tree.name}.tar.gz")
    # Only the tests: the SDK itself is installed beside them.
    unpacked = CACHE / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    with tarfile.open(archive) as tar:
        top = f"{tree.name}/"
        wanted = [
            member
            for member in tar.getmembers()
            if member.name.startswith((f"{top}tests/", f"{top}pytest.ini"))
        ]
        # Python warns from 3.12 on when none is chosen; Debian 12 has none to choose.
        tar.extraction_filter = getattr(tarfile, "data_filter", None)
        tar.extractall(unpacked, members=wanted)
    (unpacked / tree.name).rename(tree)
    shutil.rmtree(unpacked)
    return tree


def run(
    tree: Path, home: Path, hosts: Mapping[str, str], arguments: Sequence[str] = ()
) -> dict[str, Verdict]:
    """Run the suite against an engine; return the verdict of each test by its name.

    home: an empty directory for what the SDK keeps in ``$HOME``. hosts: the engine's addresses by
    ``unix`` and ``tcp``. arguments: more ones for pytest.
    """
    # What tests the SDK's credentials comes last: it loses the environment for those after it.
    files: list[str | Path] = [
        *sorted((tree / "tests/integration").glob("*_test.py")),
        "tests/integration/credentials",
    ]
    verdicts = _pytest(tree, home, hosts["unix"], [*files, *arguments])
    # Over a unix socket the SDK cannot speak websocket.
    return verdicts | _pytest(tree, home, hosts["tcp"], [*files, *arguments, *OVER_TCP])


def run_some(tree: Path, home: Path, host: str, names: Sequence[str]) -> dict[str, Verdict]:
    """Run the tests of these names against an engine; return their verdicts."""
    return _pytest(tree, home, host, [_node_id(name) for name in names])


def _node_id(name: str) -> str:
    """Return what pytest calls ``module.Class.test``."""
    module, kind, test = name.split(".")
    return f"tests/integration/{module}.py::{kind}::{test}"


def _pytest(
    tree: Path, home: Path, host: str, arguments: Sequence[str | Path]
) -> dict[str, Verdict]:
    # Without this file the SDK keeps its contexts in the working directory.
    (home / ".docker").mkdir(exist_ok=True)
    (home / ".docker/config.json").write_text("{}", encoding="utf-8")
    results = home / "results.xml"
    results.unlink(missing_ok=True)
    subprocess.run(
        [
            *(PYTHON, "-B", "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider"),
            *(f"--junitxml={results}", f"--timeout={TEST_SECONDS}", *arguments),
        ],
        cwd=tree,
        env={
            **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
            "DOCKER_HOST": host,
            "HOME": str(home),
        },
        check=False,
    )
    return read(results)


def read(results: Path) -> dict[str, Verdict]:
    """Read JUnit XML: ``api_exec_test.ExecTest.test_x`` → verdict.

    A test that fails and whose tear-down fails too stands there twice; the worse one counts.
    """
    verdicts: dict[str, Verdict] = {}
    for case in ET.parse(results).iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}".removeprefix("tests.integration.")
        verdict = _verdict(case)
        if name not in verdicts or verdicts[name].outcome != "failed":
            verdicts[name] = verdict
    return verdicts


def _verdict(case: ET.Element) -> Verdict:
    seconds = float(case.get("time") or 0)
    for child in case:
        if child.tag in ("failure", "error"):
            return Verdict("failed", child.text or child.get("message") or "", seconds)
        if child.tag == "skipped":
            return Verdict("skipped", child.get("message") or "", seconds)
    return Verdict("passed", seconds=seconds)
