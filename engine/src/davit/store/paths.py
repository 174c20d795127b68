"""Every path that davit uses under its two roots."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """data: survives a reboot; run: does not."""

    data: Path
    run: Path

    @property
    def database(self) -> Path:
        return self.data / "state.db"

    @property
    def blobs(self) -> Path:
        """Content by digest: ``blobs/sha256/<hex>``."""
        return self.data / "blobs"

    @property
    def ingest(self) -> Path:
        """Files and trees being written; emptied at start."""
        return self.data / "ingest"

    @property
    def layers(self) -> Path:
        """One directory per unpacked layer."""
        return self.data / "layers"

    @property
    def build_caches(self) -> Path:
        """What commands of builds keep for later builds, one directory each."""
        return self.data / "build-caches"

    @property
    def build_secrets(self) -> Path:
        """Secrets of commands that run, one file each; not on disk where ``run`` is not."""
        return self.run / "secrets"

    @property
    def volumes(self) -> Path:
        return self.data / "volumes"

    def volume(self, name: str) -> Path:
        """The directory that a volume's users see."""
        return self.volumes / name / "_data"

    @property
    def swarm(self) -> Path:
        """This node's identity in a swarm, while it is in one."""
        return self.data / "swarm"

    @property
    def containers(self) -> Path:
        return self.data / "containers"

    def container(self, container_id: str) -> Path:
        """What a container keeps between runs: its writable layer, its log, its hosts file."""
        return self.containers / container_id

    def upper(self, container_id: str) -> Path:
        return self.container(container_id) / "upper"

    def work(self, container_id: str) -> Path:
        return self.container(container_id) / "work"

    def log(self, container_id: str) -> Path:
        return self.container(container_id) / "container.log"

    def bundle(self, container_id: str) -> Path:
        """The OCI bundle of a running container."""
        return self.run / "containers" / container_id

    def rootfs(self, container_id: str) -> Path:
        """Where the container's overlay is mounted."""
        return self.bundle(container_id) / "rootfs"

    def image_mounts(self, container_id: str) -> Path:
        """Where images are mounted that the container has among its mounts, by number."""
        return self.bundle(container_id) / "images"

    @property
    def mounting(self) -> tuple[Path, ...]:
        """Directories below which davitd mounts."""
        return self.data, self.run / "containers"

    @property
    def execs(self) -> Path:
        """One directory a process that was started in a running container."""
        return self.run / "execs"

    @property
    def exits(self) -> Path:
        """conmon writes one file here for each container that ended: its exit code."""
        return self.run / "exits"

    @property
    def sockets(self) -> Path:
        """conmon's attach sockets. Short: a unix socket's path has 108 bytes at most."""
        return self.run / "s"

    @property
    def runtime_root(self) -> Path:
        return self.run / "runtime"

    @property
    def task_files(self) -> Path:
        """Secrets and configs of swarm tasks: a file system in memory for each task."""
        return self.run / "tasks"

    @property
    def userns(self) -> Path:
        """The user namespace of containers whose IDs are remapped."""
        return self.run / "userns"

    @property
    def idmapped(self) -> Path:
        """Directories with mapped IDs, for as long as something is mounted from them. Short."""
        return self.run / "m"

    @property
    def netns(self) -> Path:
        return self.run / "netns"
