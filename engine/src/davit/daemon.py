"""The composition root: what davitd is made of, in the order in which it starts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import platform
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from davit import __version__
from davit.api.listeners import Activated
from davit.api.routes import (
    auth,
    build,
    buildkit,
    container_io,
    containers,
    distribution,
    events,
    files,
    image_transfer,
    images,
    missing,
    networks,
    plugins,
    search,
    stats,
    swarm,
    system,
    usage,
    volumes,
)
from davit.api.routes import exec as exec_
from davit.api.server import Server
from davit.api.tls import TlsFiles
from davit.config import REGISTRY_CERTIFICATES, Settings, reloaded
from davit.drivers.cgroup import UsageReader
from davit.drivers.conmon import ConmonMonitors
from davit.drivers.conmon.layout import Layout
from davit.drivers.conmon.runtime import Runtime
from davit.drivers.conmon.runtimes import Runtimes
from davit.drivers.logs.forward import Forwarder
from davit.drivers.logs.keeper import LogKeeper
from davit.drivers.logs.reader import LogReader
from davit.drivers.logs.senders import sender
from davit.drivers.overlay import OverlayRootfs
from davit.drivers.registry.client import RegistryClient
from davit.drivers.volume.local import LocalVolumes
from davit.errors import DavitError
from davit.model.registry import LOOPBACK
from davit.services import erase as erasing
from davit.services.build.caches import Caches
from davit.services.build.needs import Needs as BuildNeeds
from davit.services.build.service import BuildService
from davit.services.build.sessions import Sessions
from davit.services.build.solving import SolveService
from davit.services.containers import remapping
from davit.services.containers.context import Context
from davit.services.containers.exec import ExecService
from davit.services.containers.logs import ContainerLogs
from davit.services.containers.prepare import find_init
from davit.services.containers.reconcile import live
from davit.services.containers.service import ContainerService
from davit.services.containers.stats import ContainerStats
from davit.services.containers.streams import ContainerStreams
from davit.services.events import EventService
from davit.services.images.remote import RemoteImages
from davit.services.images.service import ImageService
from davit.services.networks.service import NetworkService
from davit.services.registries import RegistryService
from davit.services.swarm.exec_needs import ExecNeeds, NodeFacts
from davit.services.swarm.service import SwarmService
from davit.services.system import SystemService, instance_id
from davit.services.volumes import VolumeService
from davit.spec import capabilities
from davit.store.blobs import BlobStore
from davit.store.containers import ContainerStore
from davit.store.db import Database
from davit.store.images import ImageStore
from davit.store.layers import LayerStore
from davit.store.paths import Paths
from davit.store.swarm import TaskStore
from davit.store.volumes import VolumeStore
from davit.sys import host, machine, memory, signals
from davit.sys.lock import RootLock, pidfile
from davit.sys.notify import notify
from davit.sys.process import watch_children

if TYPE_CHECKING:
    from davit.services.swarm.needs import Controller, Dependencies

logger = logging.getLogger(__name__)


def run(
    settings: Settings,
    *,
    notify_socket: str = "",
    activated: Sequence[tuple[str, socket.socket]] = (),
    read_again: Callable[[], Settings],
) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status. Containers go on without davitd.

    activated: sockets of the service manager. read_again: read the settings anew, for SIGHUP.
    """
    with _locked(settings), pidfile(settings.pidfile):
        watch_children()
        asyncio.run(_serve(settings, notify_socket, activated, read_again))
    return 0


def erase(settings: Settings, *, data: bool) -> int:
    """End all containers of these roots and take everything they have in the kernel down."""
    with _locked(settings):
        asyncio.run(_erase(settings, data))
    return 0


async def _serve(
    settings: Settings,
    notify_socket: str,
    activated: Sequence[tuple[str, socket.socket]],
    read_again: Callable[[], Settings],
) -> None:
    stopping, reloading = signals.watch()
    paths = Paths(data=settings.data_root, run=settings.run_root)
    rootfs = OverlayRootfs(paths.idmapped)
    rootfs.check(paths.data)
    async with contextlib.AsyncExitStack() as stack:
        # State: rows in memory, written through to SQLite.
        database = Database(paths.database)
        await database.open()
        stack.push_async_callback(database.close)
        container_rows = ContainerStore(database)
        image_rows = ImageStore(database)
        volume_rows = VolumeStore(database)
        for rows in (container_rows, image_rows, volume_rows):
            await rows.load()

        # Drivers: the kernel, conmon and the OCI runtime.
        layout = _layout(paths)
        await asyncio.to_thread(layout.make)
        programs = settings.runtime_programs
        runtime = Runtime(programs[settings.default_runtime], paths.runtime_root)
        monitors = ConmonMonitors(settings.conmon, runtime, layout)

        # Services, each with those below it.
        event_service = EventService()
        image_service = ImageService(
            image_rows,
            BlobStore(paths.blobs, paths.ingest),
            LayerStore(paths.layers, paths.ingest),
            container_rows,
            event_service.publish,
            settings.gc_grace,
            settings.max_layer_size,
        )
        registry_client = RegistryClient(
            (*LOOPBACK, *settings.insecure_registries),
            settings.registry_mirrors,
            REGISTRY_CERTIFICATES,
        )
        registry_service = RegistryService(registry_client)
        remote_images = RemoteImages(image_service.content, registry_client, event_service.publish)
        volume_service = VolumeService(
            volume_rows, LocalVolumes(paths.volumes), container_rows, event_service.publish
        )
        facts = await asyncio.to_thread(
            host.read, capabilities.ALL, mount_options=await runtime.mount_options()
        )
        remap = await asyncio.to_thread(remapping.open_namespace, settings, paths, facts.kernel)
        network_service = NetworkService(settings, paths, database, event_service, remap)
        context = Context(
            settings=settings,
            paths=paths,
            store=container_rows,
            events=event_service,
            images=image_service,
            volumes=volume_service,
            networks=network_service,
            monitors=monitors,
            rootfs=rootfs,
            host=facts,
            init=await asyncio.to_thread(find_init, settings),
            remap=remap,
        )
        container_service = ContainerService(context)
        container_logs = ContainerLogs(
            context,
            reader=LogReader(),
            keeper=LogKeeper(),
            forwarding=Forwarder(),
            senders=sender,
        )
        streams = ContainerStreams(context, container_logs)
        statistics = ContainerStats(
            context, UsageReader(context.host.cgroup_version, host.CGROUP_ROOT)
        )
        execs = ExecService(context)
        context.exec_ids = execs.of_container
        build_needs = BuildNeeds(
            paths=paths,
            images=image_service,
            containers=container_service,
            streams=streams,
            rootfs=rootfs,
            registries=remote_images,
            remap=remap,
        )
        build_caches = Caches(paths.build_caches)
        build_service = BuildService(build_needs, build_caches)
        sessions = Sessions()
        solve_service = SolveService(build_needs, build_caches, sessions)
        swarm_service = SwarmService(
            paths.swarm,
            TaskStore(database),
            lambda: (machine.read(paths.data), context.settings.labels),
            partial(
                _task_controller,
                ExecNeeds(
                    paths=paths,
                    node=NodeFacts(platform.node(), facts.architecture),
                    containers=container_service,
                    images=image_service,
                    registries=remote_images,
                    logs=streams,
                    networks=network_service,
                    ids=remap.ids if remap else None,
                ),
            ),
        )
        system_service = SystemService(
            settings,
            await instance_id(database),
            containers=container_rows.all,
            images=image_rows.all,
            listeners=event_service.count,
            publish=event_service.publish,
            swarm=swarm_service.info,
            init=context.init,
        )

        # Reconcile: adopt what runs, finish or roll back what was in flight, remove orphans.
        await image_service.open()
        await volume_service.recover()
        await network_service.open(live(context))
        stack.push_async_callback(network_service.close)
        await container_service.open()
        await execs.open()
        await build_service.open()
        stack.push_async_callback(container_service.close)
        await swarm_service.open()
        stack.push_async_callback(swarm_service.close)

        # Only now do clients see anything.
        server = Server(
            [
                *system.routes(system_service),
                *auth.routes(registry_service),
                *search.routes(registry_service),
                *events.routes(event_service),
                *containers.routes(container_service),
                *files.routes(container_service),
                *container_io.routes(container_service, streams),
                *stats.routes(statistics),
                *exec_.routes(execs),
                *images.routes(image_service),
                *image_transfer.routes(image_service, remote_images),
                *distribution.routes(remote_images),
                *networks.routes(network_service, container_service),
                *volumes.routes(volume_service),
                *usage.routes(image_service, container_service, volume_service, build_service),
                *build.routes(build_service, solve_service),
                *buildkit.routes(sessions, solve_service),
                *plugins.routes(),
                *swarm.routes(swarm_service),
                *missing.routes(),
            ],
            group=settings.group,
            tls=tls_files(settings),
            plain_tcp=settings.allows_plain_tcp,
            activated=[Activated(name, taken) for name, taken in activated],
        )
        # Asked at the end: it may have been changed by then.
        stack.push_async_callback(lambda: server.close(context.settings.shutdown_timeout))
        await server.listen(settings.hosts)

        async def reload() -> None:
            wanted = await asyncio.to_thread(read_again)
            await server.reload()
            context.settings, changed, refused = reloaded(context.settings, wanted)
            logging.getLogger().setLevel(context.settings.logging_level)
            system_service.reload(context.settings)
            registry_client.reload(
                (*LOOPBACK, *context.settings.insecure_registries),
                context.settings.registry_mirrors,
            )
            logger.info("reload: changed: %s", ", ".join(changed) or "nothing")
            if refused:
                logger.warning("reload: needs a restart of davitd: %s", ", ".join(refused))

        memory.trim()
        notify(notify_socket, "READY=1")
        logger.info("davitd %s is ready; data root %s", __version__, settings.data_root)
        background = [
            asyncio.create_task(_reload(reloading, notify_socket, reload)),
            asyncio.create_task(image_service.collect()),
        ]
        await stopping.wait()
        for task in background:
            task.cancel()
        notify(notify_socket, "STOPPING=1")
        logger.info("davitd stops; containers go on")


def _task_controller(needs: ExecNeeds, dependencies: Dependencies) -> Controller:
    """Return what runs a swarm's tasks; imported when this node is in one."""
    from davit.services.swarm.controller import TaskController

    return TaskController(needs, dependencies)


async def _erase(settings: Settings, data: bool) -> None:
    paths = Paths(data=settings.data_root, run=settings.run_root)
    database = Database(paths.database)
    network_service = NetworkService(settings, paths, database, EventService())
    default = settings.runtime_programs[settings.default_runtime]
    runtimes = Runtimes(Runtime(default, paths.runtime_root), _layout(paths))
    await erasing.erase(settings, paths, runtimes, network_service, data=data)
    await network_service.close()


def _layout(paths: Paths) -> Layout:
    return Layout(
        bundles=paths.run / "containers",
        execs=paths.run / "execs",
        exits=paths.exits,
        sockets=paths.sockets,
        runtime_root=paths.runtime_root,
    )


def tls_files(settings: Settings) -> TlsFiles | None:
    """Return what TLS needs, None when TCP is to be plain."""
    if not settings.uses_tls:
        return None
    return TlsFiles(
        settings.tls_certificate,
        settings.tls_key,
        settings.tls_ca if settings.tls_verify else None,
    )


async def _reload(
    wanted: asyncio.Event, notify_socket: str, reload: Callable[[], Awaitable[None]]
) -> None:
    """Reload whenever it is wanted; what is wrong with the new settings is logged."""
    while True:
        await wanted.wait()
        wanted.clear()
        notify(notify_socket, f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            await reload()
        except DavitError as error:
            logger.error("reload: nothing is changed: %s", error.message)
        notify(notify_socket, "READY=1")


@contextlib.contextmanager
def _locked(settings: Settings) -> Iterator[None]:
    lock = RootLock(settings.data_root)
    try:
        yield
    finally:
        lock.release()
