"""Routes of the builder: classic builds, and those of a client's session."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Protocol, TypeVar

import msgspec
from aiohttp import web

from davit.api import credentials, progress, response
from davit.api.routing import Call, Route
from davit.errors import DavitError, InvalidParameter, NotSupported
from davit.model import codec
from davit.model.build import BuildLine, BuildRequest, CacheLimits
from davit.model.config import Ulimit
from davit.model.filters import Filters
from davit.model.image import Progress
from davit.model.reference import Reference
from davit.model.registry import AuthConfig, decode
from davit.model.solve import Step

_PRUNE_FILTERS = (
    *("description", "id", "inuse", "parent", "private", "shared"),
    *("type", "until", "unused-for"),
)

_UPLOAD = "upload-request:"
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


class Solves(Protocol):
    """What builds with a session need."""

    async def solve(self, request: BuildRequest, report: Callable[[Step], None]) -> str:
        """Build and return the image's ID."""
        ...

    async def arrived(self, session_id: str) -> None:
        """Return when the session is there; who is refused earlier waits for ever."""
        ...

    async def upload(self, build_id: str, chunks: AsyncIterator[bytes]) -> None: ...

    def cancel(self, build_id: str) -> None: ...


def routes(builds: Builds, solves: Solves) -> list[Route]:
    async def build(call: Call) -> web.StreamResponse:
        if call.text("buildid").startswith(_UPLOAD):
            return await upload(call)
        if call.text("version") == "2" and call.text("session"):
            await solves.arrived(call.text("session"))
        request, auths = _request(call), _auths(call)

        async def classic(report: progress.Report) -> None:
            await builds.build(request, call.chunks(), report, auths)

        async def solve(report: progress.Report) -> None:
            from davit.api import trace

            begun = False

            def tell(step: Step) -> None:
                nonlocal begun
                begun = True
                report(trace.line(step))

            try:
                image_id = await solves.solve(request, tell)
            except DavitError as error:
                if not begun:
                    raise
                # With a code, clients end with it.
                message = f"failed to solve: {error.message}"
                report(BuildLine(error=message, error_detail={"message": message}))
            else:
                report({"id": "moby.image.id", "aux": {"ID": image_id}})
                if request.quiet:
                    report(BuildLine(stream=f"{image_id}\n"))

        work = solve if call.text("version") == "2" else classic
        return await progress.stream(call, work, abort=True)

    async def upload(call: Call) -> web.StreamResponse:
        """The context of a build of its own request, which has the rest of this ID."""
        build_id = call.text("buildid")[len(_UPLOAD) :]
        await solves.upload(build_id, call.chunks())
        return web.Response()

    async def cancel(call: Call) -> web.StreamResponse:
        build_id = call.text("id")
        if not build_id:
            raise InvalidParameter("build ID not provided: pass id=")
        solves.cancel(build_id)
        return web.Response()

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
        Route("POST", "/build/cancel", cancel, since=(1, 38)),
        Route("POST", "/build/prune", prune, since=(1, 31)),
    ]


def _request(call: Call) -> BuildRequest:
    """Read the parameters. Raises InvalidParameter, NotSupported."""
    if call.text("version") not in ("", "1", "2"):
        raise InvalidParameter(
            f"invalid version: {call.text('version')!r}: use 1, or 2 with a session"
        )
    if call.text("isolation") not in ("", "default"):
        raise InvalidParameter(
            f"unsupported isolation: {call.text('isolation')!r}: Linux has 'default' only"
        )
    if (call.text("version") == "2") != bool(call.text("session")):
        raise InvalidParameter("a build with version=2 needs a session, and no other has one")
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
        # BuildKit leaves no container of a command that failed.
        force_remove=call.flag("forcerm") or call.text("version") == "2",
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
        session=call.text("session"),
        build_id=call.text("buildid"),
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
