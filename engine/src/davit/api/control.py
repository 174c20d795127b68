"""BuildKit's control API, as ``docker buildx`` speaks it over a connection that it has upgraded.

The client asks for a solution (``Control/Solve``), reads how far it is (``Control/Status``), and
mostly is the frontend itself: then it asks for the Dockerfile's image meanwhile
(``LLBBridge/Solve``) and tells that this is the result (``LLBBridge/Return``).

Rarely used: whoever needs it imports it late, for gRPC is not small.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Protocol

from google.protobuf.message import Message
from grpclib.const import Cardinality, Handler, Status
from grpclib.encoding.proto import ProtoCodec
from grpclib.exceptions import GRPCError
from grpclib.server import Server, Stream

from davit import __version__
from davit._pb import buildkit_pb2 as pb
from davit.api import frontend, trace
from davit.errors import DavitError
from davit.model import platform
from davit.model.build import BuildRequest
from davit.model.solve import Step

_CAPABILITIES = ("solve.base", "return", "gateway.solve.evaluate", "gateway.evaluate")
_BUILD_ID = "buildkit-controlapi-buildid"


class Solves(Protocol):
    """What this API needs."""

    async def solve(self, request: BuildRequest, report: Callable[[Step], None]) -> str: ...

    async def arrived(self, session_id: str) -> None:
        """Return when the session is there; who is refused earlier waits for ever."""
        ...


class _Asked(NamedTuple):
    """session: its ID. sources: of the cache."""

    session: str
    tags: tuple[str, ...]
    sources: list[str]


class _Build:
    """A solution. asked: what ``Control/Solve`` wants; returned: the image's ID."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.steps: asyncio.Queue[Step | None] = asyncio.Queue()
        self.asked: asyncio.Future[_Asked] = loop.create_future()
        self.returned: asyncio.Future[str] = loop.create_future()
        self.returned.add_done_callback(lambda done: done.cancelled() or done.exception())


class Control:
    """The API for one connection: solutions do not outlive it."""

    def __init__(self, solves: Solves) -> None:
        self._solves = solves
        kit = pb.BuildkitVersion(package="davit", version=__version__)
        self._info = pb.InfoResponse(buildkit_version=kit)
        host = platform.parse("")
        own = pb.Platform(os=host.os, architecture=host.architecture, variant=host.variant)
        self._worker = pb.WorkerRecord(id="davit", platforms=[own], buildkit_version=kit)
        self._builds: dict[str, _Build] = {}

    def __mapping__(self) -> Mapping[str, Handler]:
        unary, many = Cardinality.UNARY_UNARY, Cardinality.UNARY_STREAM
        control, bridge = "/moby.buildkit.v1.Control/", "/moby.buildkit.v1.frontend.LLBBridge/"
        answer = _answered
        pong = pb.PongResponse(
            frontend_capabilities=[pb.Capability(id=one, enabled=True) for one in _CAPABILITIES],
            workers=[self._worker],
        )
        workers = pb.ListWorkersResponse(record=[self._worker])
        return {
            f"{control}Info": Handler(answer(self._info), unary, pb.Empty, pb.InfoResponse),
            f"{control}ListWorkers": Handler(
                answer(workers), unary, pb.Empty, pb.ListWorkersResponse
            ),
            f"{control}Solve": Handler(self._solve, unary, pb.SolveRequest, pb.SolveResponse),
            f"{control}Status": Handler(self._status, many, pb.StatusRequest, pb.StatusResponse),
            f"{bridge}Ping": Handler(answer(pong), unary, pb.Empty, pb.PongResponse),
            f"{bridge}Solve": Handler(
                self._bridge_solve, unary, pb.BridgeSolveRequest, pb.BridgeSolveResponse
            ),
            f"{bridge}Evaluate": Handler(answer(pb.Empty()), unary, pb.Empty, pb.Empty),
            f"{bridge}Return": Handler(self._return, unary, pb.ReturnRequest, pb.Empty),
        }

    async def _solve(self, stream: Stream[pb.SolveRequest, pb.SolveResponse]) -> None:
        wanted = await stream.recv_message()
        assert wanted is not None
        build = self._build(wanted.ref)
        try:
            await self._solves.arrived(wanted.session)
            tags = _tags(wanted)
            sources = [frontend.cache_source(one.type, one.attrs) for one in wanted.cache.imports]
            asked = _Asked(wanted.session, tags, sources)
            if wanted.frontend or wanted.definition.ByteSize():
                image_id = await self._run(
                    build, wanted.ref, wanted.frontend, wanted.frontend_attrs, asked
                )
            else:
                build.asked.set_result(asked)
                image_id = await build.returned
        except DavitError as error:
            raise _refused(error) from error
        finally:
            build.asked.cancel()
            build.steps.put_nowait(None)
        found = {"containerimage.config.digest": image_id, "containerimage.digest": image_id}
        if tags:
            found["image.name"] = ",".join(tags)
        await stream.send_message(pb.SolveResponse(exporter_response=found))

    async def _status(self, stream: Stream[pb.StatusRequest, pb.StatusResponse]) -> None:
        wanted = await stream.recv_message()
        assert wanted is not None
        build = self._build(wanted.ref)
        while (step := await build.steps.get()) is not None:
            await stream.send_message(trace.response([step]))

    async def _bridge_solve(
        self, stream: Stream[pb.BridgeSolveRequest, pb.BridgeSolveResponse]
    ) -> None:
        wanted = await stream.recv_message()
        assert wanted is not None
        ref = _ref(stream)
        build = self._build(ref)
        await asyncio.wait([build.asked])
        if build.asked.cancelled():
            raise GRPCError(Status.ABORTED, "Control/Solve has said no")
        asked = build.asked.result()
        try:
            image_id = await self._run(build, ref, wanted.frontend, wanted.frontend_opt, asked)
        except DavitError as error:
            raise _refused(error) from error
        await stream.send_message(pb.BridgeSolveResponse(result=pb.Result(ref=image_id)))

    async def _return(self, stream: Stream[pb.ReturnRequest, pb.Empty]) -> None:
        wanted = await stream.recv_message()
        assert wanted is not None
        returned = self._build(_ref(stream)).returned
        if wanted.HasField("error"):
            returned.set_exception(GRPCError(Status(wanted.error.code), wanted.error.message))
        else:
            returned.set_result(wanted.result.ref)
        await stream.send_message(pb.Empty())

    async def _run(
        self,
        build: _Build,
        ref: str,
        name: str,
        attributes: Mapping[str, str],
        asked: _Asked,
    ) -> str:
        request = frontend.request(
            name,
            attributes,
            session=asked.session,
            build_id=ref,
            tags=asked.tags,
            cache_from=asked.sources,
        )
        return await self._solves.solve(request, build.steps.put_nowait)

    def _build(self, ref: str) -> _Build:
        return self._builds.setdefault(ref, _Build())


def protocol(solves: Solves) -> asyncio.Protocol:
    """Return what serves the API on a connection."""
    server = Server([Control(solves)], codec=ProtoCodec())
    return server._protocol_factory()


def _answered(message: Message) -> Callable[[Stream[Any, Any]], Awaitable[None]]:
    """A method that always answers the same."""

    async def answer(stream: Stream[Any, Any]) -> None:
        await stream.recv_message()
        await stream.send_message(message)

    return answer


def _tags(wanted: pb.SolveRequest) -> tuple[str, ...]:
    if not wanted.exporters:
        return frontend.tags(wanted.exporter, wanted.exporter_attrs)
    tags = [frontend.tags(one.type, one.attrs) for one in wanted.exporters]
    return tuple(dict.fromkeys(tag for found in tags for tag in found))


def _ref(stream: Stream[Any, Any]) -> str:
    metadata = stream.metadata
    return str(metadata.get(_BUILD_ID, "")) if metadata is not None else ""


def _refused(error: DavitError) -> GRPCError:
    # Of the others clients show a number, too.
    return GRPCError(Status.UNKNOWN, error.message)
