"""Both engines, each started for this run with roots of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.client import Client

IMAGE = "bench:latest"
CGROUP = "davit-bench"
STARTUP_SECONDS = 60
_DISK = 40 << 30
_INSIDE = "DAVIT_BENCH_NAMESPACE"


@dataclass(frozen=True)
class Engine:
    """A running engine. root: the directory that holds its data, its sockets and its log."""

    name: str
    root: Path
    pid: int
    client: Client

    @property
    def socket(self) -> Path:
        return self.root / "engine.sock"


def enter_namespaces(module: str) -> None:
    """Start this program again with a network and mounts of its own, unless it has them.

    Both engines' bridges, firewall rules and mounts live in there and vanish with it; neither sees
    what else runs on the machine. module: of the program.
    """
    if _INSIDE not in os.environ:
        command = ["unshare", "--net", "--mount", sys.executable, "-m", module, *sys.argv[1:]]
        os.execvpe(command[0], command, {**os.environ, _INSIDE: "1"})
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


@contextlib.contextmanager
def disk() -> Iterator[Path]:
    """Give a directory on a file system of its own, in a file that is deleted afterwards.

    Ext4 with a journal, as most hosts have it. Without one (small virtual machines) making a file
    takes up to 0.7 ms more after others were deleted, whoever did that: ``recently_deleted`` in the
    kernel's fs/ext4/ialloc.c.
    """
    with tempfile.TemporaryDirectory(prefix="davit-bench-") as directory:
        image, root = Path(directory, "disk"), Path(directory, "root")
        with image.open("wb") as file:
            file.truncate(_DISK)
        root.mkdir()
        subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
        subprocess.run(["mount", "-o", "loop", str(image), str(root)], check=True)
        try:
            yield root
        finally:
            subprocess.run(["umount", "--lazy", str(root)], check=True)


@contextlib.contextmanager
def start_davit(
    root: Path,
    *flags: str,
    program: Sequence[str] = ("-m", "davit"),
    within: Sequence[str] = (),
) -> Iterator[Engine]:
    """Start davitd from this clone, as a host's launcher does: compiled before, no docstrings.

    program: what Python is to run. within: a command that runs it elsewhere.
    """
    python = [*within, sys.executable, "-OOXno_debug_ranges"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run([*python, "-c", "import davit.daemon"], check=True, env=environment)
    roots = ["--data-root", str(root / "data"), "--run-root", str(root / "run")]
    with _started("davit", root, [*python, *program, *roots, *flags]) as engine:
        yield engine
    # What no container has any more: the bridge, the rules, the cgroup.
    subprocess.run([*python, "-m", "davit", "erase", *roots, "--data"], check=True)


@contextlib.contextmanager
def start_moby(root: Path, *flags: str, within: Sequence[str] = ()) -> Iterator[Engine]:
    """Start dockerd, which starts its containerd. within: a command that runs it elsewhere."""
    arguments = [
        *(*within, "dockerd", "--data-root", str(root / "data"), "--exec-root", str(root / "run")),
        *("--pidfile", str(root / "dockerd.pid"), "--cgroup-parent", f"/{CGROUP}"),
        *flags,
    ]
    with _started("Moby", root, arguments) as engine:
        yield engine
    _remove_cgroups()


def _remove_cgroups() -> None:
    """Remove what Moby leaves; the kernel is still busy with those of the last containers."""
    deadline = time.monotonic() + STARTUP_SECONDS
    while left := list(Path("/sys/fs/cgroup").glob(f"*/{CGROUP}")):
        for top in left:
            with contextlib.suppress(OSError):
                for place, _, _ in os.walk(top, topdown=False):
                    os.rmdir(place)
        if time.monotonic() > deadline:
            raise RuntimeError(f"cgroups stay busy: {', '.join(map(str, left))}")
        time.sleep(0.1)


@contextlib.contextmanager
def _started(name: str, root: Path, arguments: list[str]) -> Iterator[Engine]:
    root.mkdir()
    client = Client(root / "engine.sock")
    log = root / "engine.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*arguments, "-H", f"unix://{root / 'engine.sock'}"],
            stdout=output,
            stderr=output,
            env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
        )
    try:
        _wait_for_answer(client, process, log)
        engine = Engine(name, root, process.pid, client)
        try:
            yield engine
        finally:
            remove_containers(engine)
    finally:
        client.close()
        process.terminate()
        process.wait(timeout=STARTUP_SECONDS)


def _wait_for_answer(client: Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + STARTUP_SECONDS
    while True:
        try:
            client.request("GET", "/_ping")
            return
        except OSError as error:
            client.close()
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(
                    f"{process.args!r} does not answer:\n{log.read_text()[-2000:]}"
                ) from error
            time.sleep(0.1)


def remove_containers(engine: Engine) -> None:
    """Remove all containers of an engine, running ones too."""
    # The engine may have closed a connection that was idle for long.
    engine.client.close()
    for container in json.loads(engine.client.request("GET", "/containers/json?all=1")):
        engine.client.request("DELETE", f"/containers/{container['Id']}?force=1&v=1")


def import_busybox(engine: Engine) -> None:
    """Give an engine the image of all measurements: a static busybox and nothing else."""
    path = f"/images/create?fromSrc=-&repo={IMAGE.partition(':')[0]}&tag=latest"
    engine.client.request("POST", path, _busybox_archive())


def _busybox_archive() -> bytes:
    busybox = shutil.which("busybox")
    if busybox is None:
        raise RuntimeError("no busybox; `make system-deps` installs busybox-static")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(busybox, "bin/busybox")
        for name in ("sh", "sleep", "true"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    return buffer.getvalue()
