"""One build, step by step: each instruction becomes an image, or is found as one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from davit.drivers.dockerfile import parser
from davit.errors import InvalidParameter, NotFound
from davit.model import codec, platform
from davit.model.build import (
    BuildLine,
    BuildRequest,
    Command,
    StepBegun,
    StepCached,
    Warned,
)
from davit.model.config import ContainerConfig
from davit.model.image import Image, StepWish
from davit.model.platform import Platform
from davit.model.reference import Reference
from davit.services.build import cache, copying, mounts, trees
from davit.services.build.caches import Caches
from davit.services.build.context import Context
from davit.services.build.files import Files
from davit.services.build.needs import Lender, Needs, Report
from davit.services.build.running import Runner, command_of, run_network, short
from davit.services.containers import signals
from davit.spec.dockerfile import history, metadata, stages
from davit.spec.dockerfile.arguments import Arguments
from davit.spec.dockerfile.expand import ExpansionError, expand, split
from davit.spec.dockerfile.stages import Stage
from davit.spec.process import DEFAULT_PATH

# Instructions whose words may hold variables.
_EXPANDED = ("ENV", "EXPOSE", "LABEL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR")


@dataclass
class State:
    """Where a stage is. image: of its last step, None before the first one of ``scratch``.

    config: of that image. platform: asked for. has_command: this stage itself has said CMD.
    """

    stage: Stage
    image: Image | None
    config: ContainerConfig
    arguments: Arguments
    platform: Platform
    author: str = ""
    has_command: bool = False

    @property
    def env(self) -> dict[str, str]:
        return dict(item.partition("=")[::2] for item in self.config.env)

    @property
    def layers(self) -> list[str]:
        return self.image.layers if self.image is not None else []


class Execution:
    """Carries out the stages that are needed; ``keep`` holds every image that comes of it."""

    def __init__(
        self,
        needs: Needs,
        request: BuildRequest,
        context: Context,
        *,
        scratch: Path,
        escape: str,
        report: Report,
        keep: Callable[[Image], None],
        build_id: str,
        caches: Caches,
        lender: Lender,
    ) -> None:
        self._needs = needs
        self._request = request
        self._escape = escape
        self._report = report
        self._keep = keep
        self._lender = lender
        self._cache = cache.StepCache(
            needs.images,
            off=request.no_cache,
            sources=request.cache_from,
            # For clients of BuildKit they come in addition.
            exclusive=not request.session,
        )
        self._runner = Runner(needs, request, report, build_id)
        self._files = Files(needs, context, scratch, self.image_of, escape)
        self._mounter = mounts.Mounter(needs, caches, lender, report, context, self.image_of)
        self._stages: Sequence[Stage] = []
        self._done: dict[int, State] = {}
        self._step = 0
        self._steps = 0

    async def run(self, every: Sequence[Stage], needed: Sequence[Stage], given: Arguments) -> Image:
        """Build and return the image of the last stage. Raises CommandFailed, DavitError."""
        self._stages = every
        labels = [history.labels(self._request.labels)] if self._request.labels else []
        self._steps = sum(1 + len(stage.commands) for stage in needed) + len(labels)
        for stage in needed:
            commands = [*stage.commands, *(labels if stage is needed[-1] else ())]
            self._done[stage.index] = await self._build(stage, commands, given.stage())
        image = self._done[needed[-1].index].image
        if image is None:
            raise InvalidParameter("No image was generated. Is your Dockerfile empty?")
        unused = given.unused()
        if unused:
            shown = " ".join(unused)
            self._report(Warned(text=f"One or more build-args [{shown}] were not consumed"))
        return image

    async def image_of(self, name: str, before: int) -> Image | None:
        """The image of an earlier stage (by name or number), or one that has this name.

        None: of a stage that has no files.
        """
        stage = stages.find(self._stages[:before], name)
        if stage is not None and stage.index in self._done:
            return self._done[stage.index].image
        return await self._resolve(name, "")

    async def _build(self, stage: Stage, commands: list[Command], arguments: Arguments) -> State:
        self._announce(stage.source)
        state = await self._begin(stage, arguments)
        self._say(f" ---> {short(state.image.id) if state.image else ''}\n")
        triggers = await self._triggers(state)
        for command in triggers:
            self._announce(command)
            await self._carry_out(state, command)
        for command in commands:
            self._announce(command)
            await self._carry_out(state, command)
        return state

    async def _begin(self, stage: Stage, arguments: Arguments) -> State:
        """Take the image that a stage begins with."""
        earlier = stages.by_name(self._stages[: stage.index], stage.base)
        image: Image | None = None
        if earlier is not None:
            image = self._done[earlier.index].image
        elif stage.base != stages.SCRATCH:
            image = await self._resolve(stage.base, stage.platform or self._request.platform)
        config = image.config.config if image is not None else ContainerConfig()
        if not any(item.startswith("PATH=") for item in config.env):
            config = replace(config, env=[*config.env, f"PATH={DEFAULT_PATH}"])
        if image is not None:
            self._keep(image)
        author = image.config.author if image is not None else ""
        wanted = platform.parse(stage.platform or self._request.platform)
        return State(stage, image, config, arguments, wanted, author)

    async def _resolve(self, reference: str, wanted: str) -> Image:
        image: Image | None = None
        if not self._request.pull:
            try:
                image = self._needs.images.resolve(reference)
            except NotFound:
                image = None
        if image is not None and wanted:
            config = image.config
            has = Platform(
                os=config.os or "linux", architecture=config.architecture, variant=config.variant
            )
            if config.architecture and not platform.parse(wanted).accepts(has):
                image = None
        if image is None:
            auth = await self._lender.credentials(Reference.parse(reference).domain)
            image = await self._needs.registries.pull(
                reference, platform=wanted, auth=auth, report=self._report
            )
        self._keep(image)
        return image

    async def _triggers(self, state: State) -> list[Command]:
        """The ONBUILD instructions of the image that a stage begins with; they are done once."""
        texts = state.config.on_build
        if not texts:
            return []
        self._say(f"# Executing {len(texts)} build trigger{'s' if len(texts) > 1 else ''}\n")
        state.config = replace(state.config, on_build=[])
        commands = await parser.parse("\n".join(texts).encode())
        for command in commands:
            stages.check(command)
        self._steps += len(commands)
        return commands

    async def _carry_out(self, state: State, command: Command) -> None:
        try:
            await self._dispatch(state, command)
        except (ExpansionError, ValueError) as error:
            if isinstance(error, InvalidParameter):
                raise
            raise InvalidParameter(f"{command.name}: {error}") from None

    async def _dispatch(self, state: State, command: Command) -> None:
        if command.name == "RUN":
            await self._run(state, command)
        elif command.name in ("COPY", "ADD"):
            await self._copy(state, command)
        elif command.name == "ARG":
            words = state.arguments.declare(command, state.env, self._escape)
            await self._note(state, f"ARG {' '.join(words)}", state.config)
        elif command.name == "MAINTAINER":
            state.author = command.words[0]
            await self._note(state, f"MAINTAINER {state.author}", state.config)
        else:
            command = self._expanded(state, command)
            if command.name == "STOPSIGNAL":
                signals.parse(command.words[0])
            await self._configure(state, command)

    def _expanded(self, state: State, command: Command) -> Command:
        if command.name not in _EXPANDED:
            return command
        values = state.arguments.visible(state.env)
        if command.name == "EXPOSE":
            words = [one for word in command.words for one in split(word, values, self._escape)]
        else:
            words = [expand(word, values, self._escape) for word in command.words]
        return replace(command, words=words)

    async def _configure(self, state: State, command: Command) -> None:
        config = metadata.apply(state.config, command)
        if command.name == "CMD":
            state.has_command = True
        elif command.name == "ENTRYPOINT" and not state.has_command:
            # The image's command was meant for the entrypoint that it had.
            config = replace(config, cmd=None)
        text = history.shown(command, config)
        if command.name == "WORKDIR":
            await self._make_directory(state, text, config)
        else:
            await self._note(state, text, config)

    async def _note(self, state: State, text: str, config: ContainerConfig) -> None:
        """A step that adds no files."""
        created_by = f"{' '.join(metadata.shell(config))} #(nop)  {text}"
        step = cache.key(created_by, config, state.author, ())
        if await self._found(state, step, created_by, config):
            return
        await self._commit(state, self._wish(state, step, created_by, config))

    async def _make_directory(self, state: State, text: str, config: ContainerConfig) -> None:
        created_by = f"{' '.join(metadata.shell(state.config))} #(nop) {text}"
        step = cache.key(created_by, config, state.author, ())
        if await self._found(state, step, created_by, config):
            return
        async with trees.mounted(self._needs, state.layers) as tree:
            await asyncio.to_thread(copying.make_directory, tree.root, config.working_dir, (0, 0))
            paths = await asyncio.to_thread(tree.changes)
            wish = self._wish(state, step, created_by, config)
            if paths:
                wish = replace(wish, upper=str(tree.upper), paths=paths)
            await self._commit(state, wish)

    async def _copy(self, state: State, command: Command) -> None:
        values = state.arguments.visible(state.env)
        async with self._files.opened(
            command, values, state.stage.index, state.config, state.layers
        ) as work:
            shell = " ".join(metadata.shell(state.config))
            created_by = f"{shell} #(nop) {work.text}"
            step = cache.key(created_by, state.config, state.author, work.extra)
            if await self._found(state, step, created_by, state.config):
                return
            async with trees.mounted(self._needs, state.layers) as tree:
                await work.copy(tree)
                paths = await asyncio.to_thread(tree.changes)
                wish = self._wish(state, step, created_by, state.config)
                await self._commit(state, replace(wish, upper=str(tree.upper), paths=paths))

    async def _run(self, state: State, command: Command) -> None:
        if state.image is None:
            # A container needs an image, be it an empty one.
            await self._note(state, "FROM scratch", state.config)
        assert state.image is not None
        network = run_network(command)
        words = command_of(state.config, command)
        shown = " ".join(words)
        seen = {k: v for k, v in state.arguments.declared.items() if k not in state.env}
        created_by = shown
        if seen:
            pairs = " ".join(f"{name}={value}" for name, value in sorted(seen.items()))
            created_by = f"|{len(seen)} {pairs} {shown}"
        extra = [*command.flags, codec.encode(words).decode(), self._request.network_mode]
        values = state.arguments.visible(state.env)
        wanted = mounts.wishes(command, state.config, values, self._escape)
        async with AsyncExitStack() as stack:
            shown_there, digests = await self._mounter.binds(stack, wanted, state.stage.index)
            step = cache.key(created_by, state.config, state.author, [*extra, *digests])
            if await self._found(state, step, created_by, state.config):
                return
            scratch, told = await self._mounter.scratch(stack, wanted)
            places = [*shown_there, *scratch]
            env = {**state.arguments.silent, **seen}
            env = {name: value for name, value in env.items() if name not in state.env}
            env |= told
            container_id = await self._runner.create(state.image, words, env, network, places)
            self._say(f" ---> Running in {short(container_id)}\n")
            written = await self._runner.run(container_id, shown)
            wish = replace(
                self._wish(state, step, created_by, state.config),
                upper=written.upper,
                paths=written.paths,
                container=container_id,
            )
            await self._commit(state, wish, self._runner.remove)

    def _wish(self, state: State, step: str, created_by: str, config: ContainerConfig) -> StepWish:
        return StepWish(
            base=state.image,
            platform=state.platform,
            config=config,
            created_by=created_by,
            key=step,
            author=state.author,
        )

    async def _found(
        self, state: State, step: str, created_by: str, config: ContainerConfig
    ) -> bool:
        """Take the step's image from the cache, if it is there."""
        image = self._cache.find(state.image, step, state.platform)
        if image is None:
            known, layer = self._cache.layer(state.image, created_by, state.platform)
            if not known:
                return False
            wish = replace(self._wish(state, step, created_by, config), layer=layer)
            image = await self._needs.images.add_step(wish)
        self._keep(image)
        self._report(StepCached())
        self._take(state, image)
        return True

    async def _commit(
        self,
        state: State,
        wish: StepWish,
        then: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        image = await self._needs.images.add_step(wish)
        self._keep(image)
        if then is not None and self._request.remove:
            await then(wish.container)
        self._take(state, image)

    def _take(self, state: State, image: Image) -> None:
        state.image, state.config = image, image.config.config
        self._say(f" ---> {short(image.id)}\n")

    def _announce(self, command: Command) -> None:
        self._step += 1
        text = command.original.rstrip()
        self._report(StepBegun(number=self._step, total=self._steps, text=text))

    def _say(self, text: str) -> None:
        self._report(BuildLine(stream=text))
