"""Builds: what is asked for, and a Dockerfile as its parser tells it.

Source: Engine API, ``ImageBuild``; Dockerfile reference.
"""

from __future__ import annotations

from typing import Any

import msgspec

from davit.model.config import Ulimit
from davit.model.image import Progress

MARK = "davit.build"
"""Annotation of a build's containers: those that a crash leaves are removed at the next start."""


LENT, UPLOADED = "client-session", "upload-request"
"""Values of ``remote`` that are no URL: the client of the session has the context, or sends it as
an archive in a request of its own."""


class Heredoc(msgspec.Struct, frozen=True, kw_only=True):
    """A here-document. name: without quotes; content: as written, tabs included."""

    name: str
    content: str


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """An instruction. name: in capitals; words: its arguments, nothing expanded yet.

    json: the arguments are a JSON list. flags: ``--name=value``. original: the whole text, with
    here-documents, continued lines joined. line: its first one, from 1.
    """

    name: str
    words: list[str]
    json: bool = False
    flags: list[str] = []
    original: str = ""
    line: int = 0
    heredocs: list[Heredoc] = []


class BuildRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of a build. Sizes are bytes, CPU quotas microseconds.

    dockerfile: its path in the context. tags: ``repository:tag``. remote: a URL that the context
    comes from. args: without a value (None) an argument is as good as not given.
    remove: intermediate containers after a step that went well; force_remove: after any.
    secrets: by ID, for ``RUN --mount=type=secret``. session: of the client that lends the files,
    secrets and whatever else the build needs; build_id: by which the client may cancel it.
    """

    dockerfile: str = "Dockerfile"
    tags: tuple[str, ...] = ()
    remote: str = ""
    quiet: bool = False
    no_cache: bool = False
    cache_from: list[str] = []
    pull: bool = False
    remove: bool = True
    force_remove: bool = False
    args: dict[str, str | None] = {}
    labels: dict[str, str] = {}
    secrets: dict[str, bytes] = {}
    network_mode: str = ""
    target: str = ""
    platform: str = ""
    extra_hosts: list[str] = []
    security_opt: list[str] = []
    ulimits: list[Ulimit] = []
    cgroup_parent: str = ""
    shm_size: int = 0
    memory: int = 0
    memory_swap: int = 0
    cpu_shares: int = 0
    cpu_period: int = 0
    cpu_quota: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    session: str = ""
    build_id: str = ""


STEP = "regular"
MOUNT = "exec.cachemount"
"""Kinds of records: a step's image, a directory of ``RUN --mount=type=cache``."""


class CacheRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is kept for later builds.

    parent: the record of the step before. size: bytes of its own. created: ns since the epoch; of a
    directory, when it was last used. is_used: by a container or build of now; is_shared: an image
    with a name was made from it.
    """

    id: str
    kind: str
    size: int
    created: int
    parent: str = ""
    description: str = ""
    is_used: bool = False
    is_shared: bool = False


class CacheLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much a pruning leaves, in bytes; 0 sets no limit.

    reserved: never less than this is kept. most: no more than this. free: until the file system
    has as much left. Without most and free all but what is reserved goes.
    """

    reserved: int = 0
    most: int = 0
    free: int = 0


class BuildLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One line of a build's JSON stream. aux: ``{"ID": …}`` of the image; error_detail: why."""

    stream: str = ""
    aux: dict[str, str] = {}
    error_detail: dict[str, Any] = {}
    error: str = ""


class StepBegun(msgspec.Struct, frozen=True, kw_only=True):
    """A build comes to an instruction. number: from 1, across all stages, of ``total``."""

    number: int
    total: int
    text: str


class StepCached(msgspec.Struct, frozen=True):
    """The instruction need not be carried out: its result is there."""


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """What a command has written. stream: 1 or 2."""

    stream: int
    text: str


class Warned(msgspec.Struct, frozen=True, kw_only=True):
    """What a user should know, without an end of line."""

    text: str


Event = BuildLine | Progress | StepBegun | StepCached | Output | Warned
"""What a build tells while it goes on."""
