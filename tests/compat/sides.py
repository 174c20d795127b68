"""One side of the comparison: an engine in namespaces of its own, and the suite run against it."""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import quote

from tests.bench.engines import Engine, start_davit, start_moby
from tests.bench.memory import used_by
from tests.compat import suite
from tests.compat.front import front
from tests.compat.images import images
from tests.compat.registry import push
from tests.compat.suite import Verdict
from tests.engine.imagekit import docker_archive
from tests.engine.registrykit import registry

ENGINES = ("dockerd", "davit")
SWARM = "swarm"
"""A Moby manager whose tasks a davit worker carries; for the tests that need a swarm."""
TCP = "tcp://127.0.0.1:2375"
# A process namespace ends with its first process: nothing outlives a run that was interrupted.
_NAMESPACES = ("--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


@contextlib.contextmanager
def _engine(name: str, root: Path, mirror: str) -> Iterator[Engine]:
    flags = ["-H", TCP, "--registry-mirror", mirror]
    if name == "dockerd":
        flags.append("--tls=false")
    start = start_davit if name == "davit" else start_moby
    with start(root, *flags) as engine:
        engine.client.request("POST", "/images/load?quiet=1", docker_archive(*images()))
        yield engine


@contextlib.contextmanager
def _manager(root: Path, mirror: str) -> Iterator[Engine]:
    with start_moby(root, "--registry-mirror", mirror) as engine:
        yield engine


def _tasks(engine: Engine) -> int:
    """Return how many containers of tasks an engine has started, of the last ones it knows."""
    filters = quote(json.dumps({"event": ["start"], "label": ["com.docker.swarm.task"]}))
    lines = engine.client.request(
        "GET", f"/events?since=1&until={time.time():.0f}&filters={filters}"
    )
    return len(lines.splitlines())


def main() -> int:
    """Run one side, inside its namespaces; leave the verdicts in a JSON file."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("engine", choices=(*ENGINES, SWARM))
    parser.add_argument("results", type=Path)
    given, arguments = parser.parse_known_args()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    # As systemd leaves it on a host; nothing outside belongs to this peer group.
    subprocess.run(["mount", "--make-rshared", "/"], check=True)
    tree = suite.fetch()
    with contextlib.ExitStack() as stack:
        # Short, because a unix socket's path has 108 bytes at most.
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dvc")))
        mirror = f"http://{stack.enter_context(registry(root))}"
        for image in images():
            push(mirror, image)
        name = "davit" if given.engine == SWARM else given.engine
        engine = stack.enter_context(_engine(name, root / "engine", mirror))
        home = root / "home"
        home.mkdir()
        if given.engine == SWARM:
            manager = stack.enter_context(_manager(root / "manager", mirror))
            socket = root / "front.sock"
            stack.enter_context(front(socket, manager.socket, engine.socket))
            verdicts = suite.run_some(tree, home, f"unix://{socket}", arguments)
            tasks = {one.name: _tasks(one) for one in (manager, engine)}
        else:
            hosts = {"unix": f"unix://{engine.socket}", "tcp": TCP}
            verdicts = suite.run(tree, home, hosts, arguments)
            tasks = {}
        memory = used_by(engine)
        log = (engine.root / "engine.log").read_text(encoding="utf-8", errors="replace")
        run = Run(verdicts, memory, log, tasks)
        given.results.write_text(json.dumps(asdict(run)), encoding="utf-8")
    return 0


@dataclass(frozen=True)
class Run:
    """What a run gave. tests: by name; memory: MB that the engine used then; log: the engine's.

    tasks: how many of a swarm each engine has started, by its name.
    """

    tests: dict[str, Verdict]
    memory: float
    log: str
    tasks: dict[str, int] = field(default_factory=dict)


class Side:
    """A run of the suite against one engine, in the background."""

    def __init__(self, engine: str, output: Path, arguments: Sequence[str]) -> None:
        self.engine = engine
        self._log = output / f"{engine}.log"
        self._engine_log = output / f"{engine}.engine.log"
        self._results = output / f"{engine}.json"
        self._results.unlink(missing_ok=True)
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *("unshare", *_NAMESPACES, sys.executable, "-m", "tests.compat.sides"),
                    *(engine, str(self._results), *arguments),
                ],
                cwd=suite.ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait(self) -> Run:
        """Wait for its end."""
        status = self.process.wait()
        if status or not self._results.exists():
            words = self._log.read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"the run against {self.engine} broke ({status}):\n{words}")
        written = json.loads(self._results.read_text(encoding="utf-8"))
        tests = {name: Verdict(**fields) for name, fields in written["tests"].items()}
        self._engine_log.write_text(written["log"], encoding="utf-8")
        return Run(tests, written["memory"], written["log"], written["tasks"])


if __name__ == "__main__":
    sys.exit(main())
