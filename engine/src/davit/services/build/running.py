"""RUN: a container of the image before it, whose writable layer becomes the step's."""

from __future__ import annotations

import codecs
import re
import shlex
from collections.abc import Mapping, Sequence

from davit.errors import NotSupported
from davit.model import ids
from davit.model.build import MARK, BuildLine, BuildRequest, Command, Output
from davit.model.config import ContainerConfig, HealthConfig, HostConfig, Mount
from davit.model.container import CreateRequest
from davit.model.image import CommitSource, Image
from davit.services.build.failure import CommandFailed
from davit.services.build.needs import Needs, Report
from davit.services.containers.needs import Console
from davit.spec.dockerfile import metadata
from davit.sys.tasks import uncut

_NETWORKS = ("default", "none", "host")
_SCRIPT = "/dev/shm/.script"
# A here-document that is the whole command.
_ALONE = re.compile(r"<<-?(['\"]?)[A-Za-z_][\w.]*\1\Z")


def command_of(config: ContainerConfig, command: Command) -> list[str]:
    """The words that RUN executes; a here-document goes to the shell, or is a script of its own."""
    if command.json or not command.heredocs:
        return metadata.command_line(config, command)
    text = " ".join(command.words)
    documents = command.heredocs
    if len(documents) == 1 and _ALONE.match(text.strip()):
        script = documents[0].content
        if text.strip().startswith("<<-"):
            script = "".join(line.lstrip("\t") for line in script.splitlines(keepends=True))
        if not script.startswith("#!"):
            return [*metadata.shell(config), script]
        # As the kernel does it with a file: the interpreter, one argument at most, the file.
        interpreter = script.partition("\n")[0][2:].strip().split(None, 1)
        end = documents[0].name
        make = f"cat > {_SCRIPT} <<'{end}' && exec {shlex.join([*interpreter, _SCRIPT])}\n"
        return [*metadata.shell(config), f"{make}{script}{end}\n"]
    bodies = "".join(f"{doc.content}{doc.name}\n" for doc in documents)
    return [*metadata.shell(config), f"{text}\n{bodies}"]


def run_network(command: Command) -> str:
    """The network that RUN asks for, empty for the build's. Raises NotSupported, ValueError."""
    network = ""
    for flag in command.flags:
        name, _, value = flag[2:].partition("=")
        if name == "security" and value != "sandbox":
            raise NotSupported(f"RUN --security={value}: davit's builds run in the sandbox only")
        if name == "network":
            if value not in _NETWORKS:
                raise ValueError(f"invalid network {value!r}: use {', '.join(_NETWORKS)}")
            network = "" if value == "default" else value
    return network


def host_config(
    request: BuildRequest, network: str, mounts: Sequence[Mount], build_id: str
) -> HostConfig:
    """What the container of a step may use of the host."""
    return HostConfig(
        network_mode=network or request.network_mode,
        extra_hosts=request.extra_hosts,
        security_opt=request.security_opt,
        ulimits=request.ulimits,
        cgroup_parent=request.cgroup_parent,
        shm_size=request.shm_size,
        memory=request.memory,
        memory_swap=request.memory_swap,
        cpu_shares=request.cpu_shares,
        cpu_period=request.cpu_period,
        cpu_quota=request.cpu_quota,
        cpuset_cpus=request.cpuset_cpus,
        cpuset_mems=request.cpuset_mems,
        mounts=list(mounts),
        annotations={MARK: build_id},
    )


class Runner:
    """Runs commands for one build."""

    def __init__(self, needs: Needs, request: BuildRequest, report: Report, build_id: str) -> None:
        self._needs = needs
        self._request = request
        self._report = report
        self._build_id = build_id

    async def create(
        self,
        image: Image,
        words: Sequence[str],
        env: Mapping[str, str],
        network: str,
        mounts: Sequence[Mount],
    ) -> str:
        """Make the container and return its ID."""
        created = await self._needs.containers.create(
            "",
            CreateRequest(
                image=image.id,
                # What the image says to run is for its users, not for the steps that make it.
                entrypoint=[""],
                cmd=list(words),
                env=[f"{name}={value}" for name, value in env.items()],
                healthcheck=HealthConfig(test=["NONE"]),
                attach_stdout=True,
                attach_stderr=True,
                host_config=host_config(self._request, network, mounts, self._build_id),
            ),
        )
        return created.id

    async def run(self, container_id: str, shown: str) -> CommitSource:
        """Run it to its end, its output being reported. Raises CommandFailed.

        The container stays, unless the caller is cancelled or the request wants it removed.
        """
        containers = self._needs.containers
        try:
            console = await self._needs.streams.attach(container_id)
            try:
                ended = containers.wait(container_id, "next-exit")
                await containers.start(container_id)
                await self._show(console)
                code = (await ended).exit_code
            finally:
                await console.close()
            if code:
                raise CommandFailed(shown, code)
            return await containers.written(container_id)
        except Exception:
            if self._request.force_remove:
                await self.remove(container_id)
            raise
        except BaseException:
            await uncut(containers.remove(container_id, force=True, volumes=True))
            raise

    async def remove(self, container_id: str) -> None:
        await uncut(self._needs.containers.remove(container_id, force=True, volumes=True))
        self._report(BuildLine(stream=f"Removing intermediate container {short(container_id)}\n"))

    async def _show(self, console: Console) -> None:
        decoders = {}
        while (piece := await console.read()) is not None:
            number, data = piece
            if number not in decoders:
                decoders[number] = codecs.getincrementaldecoder("utf-8")("replace")
            if text := decoders[number].decode(data):
                self._report(Output(stream=number, text=text))


def short(image_id: str) -> str:
    return ids.short(image_id.removeprefix("sha256:"))
