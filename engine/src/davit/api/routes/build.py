"""Routes of the builder: the classic one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Protocol, TypeVar

import msgspec
from aiohttp import web

from davit.api import credentials, progress, response
from davit.api.routes.buildkit import USE_CLASSIC
from davit.api.routing import Call, Route
from davit.errors import InvalidParameter, NotSupported
from davit.model import codec
from davit.model.build import BuildLine, BuildRequest, CacheLimits
from davit.model.config import Ulimit
from davit.model.filters import Filters
from davit.model.image import Progress
from davit.model.reference import Reference
from davit.model.registry import AuthConfig, decode

_PRUNE_FILTERS = (
    *("description", "id", "inuse", "parent", "private", "shared"),
    *("type", "until", "unused-for"),
)

_SECRETS_HEADER = "X-Davit-Secrets"

T = TypeVar("T")
Auths = Mapping[str, AuthConfig]


class Builds(Protocol):
    """What these routes need."""

    async def build(
        self,
        request: BuildRequest,
        chunks: AsyncIterator[bytes],
        report: Callable[[BuildLine | Progress], None],
        auths: Auths,
    ) -> None: ...

    async def prune(
        self, filters: Filters, limits: CacheLimits, *, every: bool
    ) -> tuple[list[str], int]: ...


def routes(builds: Builds) -> list[Route]:
    async def build(call: Call) -> web.StreamResponse:
        request, auths = _request(call), _auths(call)

        async def work(report: progress.Report) -> None:
            await builds.build(request, call.request.content.iter_any(), report, auths)

        return await progress.stream(call, work, abort=True)

    async def prune(call: Call) -> web.StreamResponse:
        limits = CacheLimits(
            reserved=call.integer("reserved-space") or call.integer("keep-storage") or 0,
            most=call.integer("max-used-space") or 0,
            free=call.integer("min-free-space") or 0,
        )
        filters = call.filters(*_PRUNE_FILTERS)
        removed, gained = await builds.prune(filters, limits, every=call.flag("all"))
        return response.json({"CachesDeleted": removed or None, "SpaceReclaimed": gained})

    return [
        Route("POST", "/build", build, abort=True),
        Route("POST", "/build/prune", prune, since=(1, 31)),
    ]


def _request(call: Call) -> BuildRequest:
    """Read the parameters. Raises InvalidParameter, NotSupported for those of BuildKit."""
    if call.text("version") not in ("", "1", "2"):
        raise InvalidParameter(f"invalid version: {call.text('version')!r}: davit builds with 1")
    if call.text("isolation") not in ("", "default"):
        raise InvalidParameter(
            f"unsupported isolation: {call.text('isolation')!r}: Linux has 'default' only"
        )
    if call.text("version") == "2" or call.text("remote") == "client-session":
        raise NotSupported(f"version=2: {USE_CLASSIC}")
    for name in ("outputs", "squash"):
        if call.text(name) and (name == "outputs" or call.flag(name)):
            raise NotSupported(
                f"{name}: davit's builds end as an image of this engine, with layers"
            )
    tags = [Reference.parse_tag(text) for text in call.texts("t") if text]
    return BuildRequest(
        dockerfile=call.text("dockerfile"),
        remote=call.text("remote"),
        tags=tuple(dict.fromkeys(tags)),
        quiet=call.flag("q"),
        no_cache=call.flag("nocache"),
        cache_from=_json(call, "cachefrom", list[str]),
        pull=call.flag("pull"),
        remove=call.flag("rm", default=True),
        force_remove=call.flag("forcerm"),
        args=_json(call, "buildargs", dict[str, str | None]),
        labels=_json(call, "labels", dict[str, str]),
        secrets=_secrets(call),
        network_mode=call.text("networkmode"),
        target=call.text("target"),
        platform=call.text("platform"),
        extra_hosts=call.texts("extrahosts"),
        security_opt=_json(call, "securityopt", list[str]),
        ulimits=_json(call, "ulimits", list[Ulimit]),
        cgroup_parent=call.text("cgroupparent"),
        shm_size=call.integer("shmsize") or 0,
        memory=call.integer("memory") or 0,
        memory_swap=call.integer("memswap") or 0,
        cpu_shares=call.integer("cpushares") or 0,
        cpu_period=call.integer("cpuperiod") or 0,
        cpu_quota=call.integer("cpuquota") or 0,
        cpuset_cpus=call.text("cpusetcpus"),
        cpuset_mems=call.text("cpusetmems"),
    )


def _json(call: Call, name: str, shape: type[T]) -> T:
    """A parameter that is JSON; absent and ``null`` are as good as empty."""
    text = call.text(name)
    try:
        found = msgspec.json.decode(text or "null")
        return shape() if found is None else codec.convert(found, shape)
    except (msgspec.DecodeError, InvalidParameter) as error:
        raise InvalidParameter(f"invalid {name}: {error}") from None


def _secrets(call: Call) -> dict[str, bytes]:
    """davit's own header ``X-Davit-Secrets``: ID to base64 of the secret."""
    text = call.request.headers.get(_SECRETS_HEADER, "")
    return decode(f"{_SECRETS_HEADER} header", text, dict[str, bytes]) or {}


def _auths(call: Call) -> Auths:
    """Credentials by registry: the header ``X-Registry-Config``."""
    text = call.request.headers.get(credentials.CONFIG_HEADER, "")
    return decode(f"{credentials.CONFIG_HEADER} header", text, dict[str, AuthConfig]) or {}
