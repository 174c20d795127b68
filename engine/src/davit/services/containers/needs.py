"""What the container services need from the layers beside and below them.

Interfaces belong to their consumer: ``daemon.py`` passes the real things in, tests pass fakes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from davit.model.container import Container
from davit.model.idmap import Remap
from davit.model.image import CommitSource, CommitWish, Image
from davit.model.network import EndpointSettings, JoinRequest, Network, Sandbox
from davit.model.runtime import ExecLaunch, Exit, Launch, Launched
from davit.model.volume import Volume


class Events(Protocol):
    def publish(
        self, kind: str, action: str, actor_id: str, attributes: Mapping[str, str], /
    ) -> None: ...


class Images(Protocol):
    def resolve(self, reference: str) -> Image:
        """Find an image by tag, digest or (short) ID. Raises NotFound."""
        ...

    def directories(self, layers: Sequence[str]) -> list[Path]:
        """Return the unpacked directories of these diff IDs, lowest first, each once."""
        ...

    async def commit(self, source: CommitSource, wish: CommitWish) -> Image:
        """Make an image of a container's writable layer. Raises InvalidParameter."""
        ...

    async def sweep(self, layers: Iterable[str]) -> None:
        """Delete those of these layers that neither an image nor a container has any more."""
        ...


class Volumes(Protocol):
    def find(self, name: str) -> Volume | None: ...

    def path(self, name: str) -> Path:
        """The directory that the volume's users see."""
        ...

    async def ensure(
        self,
        name: str,
        *,
        driver: str = "local",
        options: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Volume:
        """Return the volume, created when missing; an empty name makes an anonymous one."""
        ...

    async def mount(self, name: str, container_id: str) -> Path:
        """Make the volume's directory ready for a starting container and return it."""
        ...

    def adopt(self, name: str, container_id: str) -> None:
        """Note that a container has had the volume mounted since before davitd started."""
        ...

    async def unmount(self, name: str, container_id: str) -> None: ...

    def hold(self, name: str) -> AbstractContextManager[None]:
        """Keep a volume from being removed until a container's row names it."""
        ...

    async def fill(self, name: str, source: Path) -> None:
        """Copy an image's directory into the volume unless that has files already."""
        ...

    async def remove(self, name: str, *, force: bool = False) -> None: ...


class Networking(Protocol):
    def resolve(self, reference: str) -> Network:
        """Find a network by name or (short) ID. Raises NotFound."""
        ...

    def sandbox(self, container_id: str) -> Sandbox | None:
        """Return the joined sandbox of a running container, for ``inspect`` and ``list``."""
        ...

    async def prepare(self, container_id: str) -> Path:
        """Pin a fresh network namespace (loopback up) for a container and return its path.

        Quick: a pool of ready ones is kept. ``leave`` gives it back whether or not ``join`` ran.
        """
        ...

    async def join(self, request: JoinRequest) -> Sandbox:
        """Plug a prepared namespace into its networks: addresses, routes, ports, names.

        Runs while the OCI runtime creates the container. Undoes itself when it fails.
        Raises Conflict (port or address taken), InvalidParameter (address not in the subnet).
        """
        ...

    async def leave(self, container_id: str) -> None:
        """Take a container off all networks and drop its namespace. Idempotent."""
        ...

    async def connect(
        self, container_id: str, network: Network, wish: EndpointSettings
    ) -> EndpointSettings:
        """Plug a running container into one more network."""
        ...

    async def disconnect(self, container_id: str, network: Network) -> None:
        """Unplug a running container from a network."""
        ...

    async def rename(self, container_id: str, name: str) -> None:
        """Let a running container answer to a new name."""
        ...

    async def reach(self, container_id: str, others: Mapping[str, list[str]]) -> None:
        """Change what a running container links to, ID → ports."""
        ...

    async def resolv_conf(self, request: JoinRequest) -> str:
        """Text for a starting container's ``/etc/resolv.conf``."""
        ...

    def hosts(
        self,
        request: JoinRequest,
        sandbox: Sandbox | None,
        domainname: str = "",
        links: Sequence[str] = (),
    ) -> str:
        """Text for a container's ``/etc/hosts``.

        sandbox: as joined, None without a network. links: further lines.
        """
        ...

    def check(self, network: Network, wish: EndpointSettings) -> None:
        """Raise what ``join`` would raise for a wish that can never be met (bad address, …)."""
        ...


class RunningContainers(Protocol):
    """What image, volume and network removal ask about containers; implemented by the store."""

    def all(self) -> list[Container]: ...


class Console(Protocol):
    """One client's connection to the standard streams of a container or exec."""

    async def read(self) -> tuple[int, bytes] | None:
        """Return the next chunk and its stream (STDOUT or STDERR), None at the end."""
        ...

    async def write(self, data: bytes) -> None: ...

    async def close_stdin(self) -> None: ...

    async def close(self) -> None: ...


class Monitors(Protocol):
    """conmon and the OCI runtime: they hold the processes, and outlive davitd."""

    async def launch(self, launch: Launch) -> Launched:
        """Create the container; its init waits for :meth:`start`. Undoes itself on failure.

        Raises SystemFailure with the runtime's own words, InvalidParameter when the command cannot
        be run (not found: exit code 127, not executable: 126).
        """
        ...

    async def start(self, container_id: str) -> None: ...

    async def wait(self, process_id: str, launched: Launched) -> Exit:
        """Return once the monitor of a container (or exec) has ended; also after a restart."""
        ...

    def watch_oom(
        self, container_id: str, listener: Callable[[], None]
    ) -> AbstractContextManager[None]:
        """Call the listener in the loop whenever the kernel kills in it for want of memory."""
        ...

    def is_alive(self, launched: Launched) -> bool:
        """Whether this very monitor still runs."""
        ...

    async def kill(self, container_id: str, signal: int) -> None:
        """Signal the container's init. Raises Conflict when it is not running."""
        ...

    async def pause(self, container_id: str) -> None: ...

    async def resume(self, container_id: str) -> None: ...

    async def update(self, container_id: str, resources: Mapping[str, object]) -> None:
        """Set OCI ``linux.resources`` on a running container."""
        ...

    async def forget(self, container_id: str) -> None:
        """Remove what the runtime and conmon keep (state, cgroup, sockets). Idempotent."""
        ...

    async def exec(self, launch: ExecLaunch) -> Launched: ...

    async def left_execs(self) -> dict[str, Launched | None]:
        """Return the execs that an earlier davitd has left, by ID; None when they have ended."""
        ...

    async def attach(self, process_id: str, *, stdin: bool = False) -> Console:
        """Return a further client. stdin: when it leaves, that may be the end of input.

        It is for a container that was launched with ``stdin_once``, and for no other.
        """
        ...

    async def resize(self, process_id: str, height: int, width: int) -> None:
        """Set the terminal's size in characters."""
        ...

    async def reopen_log(self, container_id: str) -> None: ...


class Rootfs(Protocol):
    """The union mount of a container's layers (overlayfs)."""

    async def mount(
        self,
        *,
        lower: Sequence[Path],
        upper: Path,
        work: Path,
        target: Path,
        remap: Remap | None = None,
    ) -> None:
        """Mount; ``lower`` is ordered lowest first. Makes upper, work and target.

        remap: the user namespace whose IDs the files have in the mount.
        """
        ...

    async def unmount(self, target: Path) -> None:
        """Unmount lazily when it must be. Idempotent."""
        ...
