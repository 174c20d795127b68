"""Containers: the record that is kept of each, and the one table of its states."""

from __future__ import annotations

import enum

import msgspec

from davit.errors import Conflict
from davit.model.config import ContainerConfig, HostConfig, RestartPolicy, Wire
from davit.model.network import EndpointSettings, Sandbox
from davit.model.volume import MountPoint

# What the list of containers can be filtered by (Engine API, ``ContainerList``).
LIST_FILTERS = (
    "ancestor",
    "before",
    "expose",
    "exited",
    "health",
    "id",
    "isolation",
    "is-task",
    "label",
    "name",
    "network",
    "publish",
    "since",
    "status",
    "volume",
)


class Status(str, enum.Enum):
    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"
    DEAD = "dead"

    @property
    def is_running(self) -> bool:
        """Whether it has a process; a paused container has one, a restarting one waits for it."""
        return self in (Status.RUNNING, Status.PAUSED)


# Everything that may follow a state. "dead" is a container whose removal failed half-way.
TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.CREATED: frozenset({Status.RUNNING, Status.REMOVING, Status.CREATED, Status.EXITED}),
    Status.RUNNING: frozenset({Status.PAUSED, Status.EXITED, Status.RESTARTING}),
    Status.PAUSED: frozenset({Status.RUNNING, Status.EXITED, Status.RESTARTING}),
    Status.RESTARTING: frozenset({Status.RUNNING, Status.EXITED, Status.REMOVING}),
    Status.EXITED: frozenset({Status.RUNNING, Status.REMOVING, Status.EXITED}),
    Status.REMOVING: frozenset({Status.DEAD}),
    Status.DEAD: frozenset({Status.REMOVING}),
}


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A container's state; times in ns since the epoch, 0 for never.

    pid: of its init on the host; conmon_pid: of its monitor, both 0 when it has none.
    start_ticks: field 22 of the monitor's ``/proc/PID/stat``: tells a recycled PID.
    stopped_by_user: a stop or kill was asked for, so ``unless-stopped`` and ``always`` rest.
    """

    status: Status = Status.CREATED
    pid: int = 0
    conmon_pid: int = 0
    start_ticks: int = 0
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = False
    started_at: int = 0
    finished_at: int = 0
    stopped_by_user: bool = False
    restart_count: int = 0

    def to(self, status: Status) -> State:
        """Return this state moved to ``status``. Raises Conflict on an illegal move."""
        if status not in TRANSITIONS[self.status]:
            raise Conflict(f"a container that is {self.status.value} cannot become {status.value}")
        return msgspec.structs.replace(self, status=status)

    def thawed(self) -> State:
        """Return a paused state moved back to running. Raises Conflict when it is not paused.

        Not ``to(RUNNING)``: a process that ends while it is let go on has exited, and that is a
        state from which a *start* leads to running.
        """
        if self.status is not Status.PAUSED:
            raise Conflict(f"a container that is {self.status.value} cannot be unpaused")
        return self.to(Status.RUNNING)


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """All that is kept of a container.

    config: the request merged with the image's configuration. image_id: ``sha256:…``.
    layers: diff IDs, lowest first, pinned at creation. networks: network *name* → wish.
    mounts: resolved at creation. created: ns since the epoch. host_config: as asked for.
    links: alias → ID of the container on the default network that it stands for; the container may
    be gone.
    """

    id: str
    name: str
    created: int
    image_id: str
    config: ContainerConfig
    host_config: HostConfig
    path: str
    args: list[str]
    layers: list[str] = []
    networks: dict[str, EndpointSettings] = {}
    mounts: list[MountPoint] = []
    links: dict[str, str] = {}
    state: State = State()

    @property
    def images(self) -> frozenset[str]:
        """IDs of the image that it was made from and of those that it mounts."""
        mounted = (point.image_id for point in self.mounts if point.image_id)
        return frozenset((self.image_id, *mounted))

    @property
    def held_layers(self) -> frozenset[str]:
        """Diff IDs of all layers that it needs."""
        return frozenset(self.layers).union(*(point.layers for point in self.mounts))


class NetworkingConfig(Wire, frozen=True):
    endpoints_config: dict[str, EndpointSettings] = {}


class CreateRequest(ContainerConfig, frozen=True):
    """The body of ``POST /containers/create``."""

    host_config: HostConfig = HostConfig()
    networking_config: NetworkingConfig = NetworkingConfig()


class Created(Wire, frozen=True):
    """The answer to it."""

    id: str
    warnings: list[str] = []


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """What ``wait`` answers. error: why the removal that was waited for failed."""

    exit_code: int
    error: str = ""


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a health check; times in ns since the epoch. exit_code: -1 when it has none."""

    start: int
    end: int
    exit_code: int
    output: str = ""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """status: starting, healthy or unhealthy. failing_streak: failures in a row that count."""

    status: str
    failing_streak: int = 0
    log: list[Probe] = []


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that ``inspect`` and ``list`` show of a container.

    directory: what it keeps on the host; root_fs: where its layers are mounted while it runs;
    layers: directories of its image, lowest first (all three for ``inspect`` only).
    image_tagged: whether ``config.image`` still names its image. links: ``/other:/name/alias``;
    link_names: ``/parent/alias`` of those that link to it. Sizes are bytes, None when not asked
    for.
    """

    container: Container
    sandbox: Sandbox | None
    network_ids: dict[str, str]
    image_tagged: bool = True
    health: Health | None = None
    exec_ids: list[str] = []
    links: list[str] = []
    link_names: list[str] = []
    size_rw: int | None = None
    size_root_fs: int | None = None
    directory: str = ""
    root_fs: str = ""
    layers: list[str] = []


class Processes(Wire, frozen=True):
    """What ``top`` answers: a table, its first row apart."""

    titles: list[str]
    processes: list[list[str]]


class UpdateRequest(Wire, frozen=True):
    """The body of ``POST /containers/{id}/update``; None is or zero is for what stays as it is."""

    cpu_shares: int | None = None
    memory: int | None = None
    blkio_weight: int | None = None
    cpu_period: int | None = None
    cpu_quota: int | None = None
    cpu_realtime_period: int | None = None
    cpu_realtime_runtime: int | None = None
    cpuset_cpus: str | None = None
    cpuset_mems: str | None = None
    kernel_memory: int | None = None
    memory_reservation: int | None = None
    memory_swap: int | None = None
    nano_cpus: int | None = None
    pids_limit: int | None = None
    restart_policy: RestartPolicy | None = None
