"""Pure: a task's specification becomes the request for its container.

Source: Moby's executor of SwarmKit's tasks, whose words refusals have where users see them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from google.protobuf.duration_pb2 import Duration

from davit._pb import swarmkit_pb2 as pb
from davit.errors import InvalidParameter, NotSupported
from davit.model.config import (
    HealthConfig,
    HostConfig,
    LogConfig,
    Mount,
    PortBinding,
    Ulimit,
)
from davit.model.container import CreateRequest, NetworkingConfig
from davit.model.network import PREDEFINED, EndpointSettings
from davit.services.swarm import mapping_mounts
from davit.services.swarm.expansion import name_of

TASK_ID = "com.docker.swarm.task.id"
"""The label by which a task's container is found again."""
_PREDEFINED = "com.docker.swarm.predefined"
_PROTOCOLS = {pb.PortConfig.TCP: "tcp", pb.PortConfig.UDP: "udp", pb.PortConfig.SCTP: "sctp"}


def request(task: pb.Task, spec: pb.ContainerSpec, files: Sequence[Mount] = ()) -> CreateRequest:
    """Return the request. spec: without templates; files: mounts of its secrets and configs.

    Raises NotSupported and InvalidParameter for what this node cannot do.
    """
    networks = _networks(task.networks)
    ports = _ports(task)
    return CreateRequest(
        image=spec.image,
        entrypoint=list(spec.command) or None,
        cmd=list(spec.args) or None,
        env=[*spec.env, *_generic_resources(task.assigned_generic_resources)],
        working_dir=spec.dir,
        user=spec.user,
        hostname=spec.hostname,
        tty=spec.tty,
        open_stdin=spec.open_stdin,
        stop_signal=spec.stop_signal,
        healthcheck=_health(spec),
        labels=labels(task, spec),
        exposed_ports={port: {} for port in ports},
        host_config=_host_config(task, spec, list(networks), ports, files),
        networking_config=NetworkingConfig(endpoints_config=networks),
    )


def labels(task: pb.Task, spec: pb.ContainerSpec) -> dict[str, str]:
    """What the service says, what the orchestrator says, and who the task is, which comes last."""
    return {
        **spec.labels,
        **task.annotations.labels,
        "com.docker.swarm.node.id": task.node_id,
        "com.docker.swarm.service.id": task.service_id,
        "com.docker.swarm.service.name": task.service_annotations.name,
        "com.docker.swarm.task": "",
        TASK_ID: task.id,
        "com.docker.swarm.task.name": name_of(task),
    }


def grace_period(spec: pb.ContainerSpec) -> int | None:
    """Seconds to stop in, None for what the container says itself."""
    return int(spec.stop_grace_period.seconds) if spec.HasField("stop_grace_period") else None


def check(task: pb.Task) -> None:
    """Raise for a task that is none of a container, or that needs what davit does not have."""
    if not task.spec.HasField("container"):
        raise NotSupported(f"task {task.id} is not a container: davit runs containers only")
    _networks(task.networks)
    _security(task.spec.container.privileges)


def _host_config(
    task: pb.Task,
    spec: pb.ContainerSpec,
    networks: Sequence[str],
    ports: dict[str, list[PortBinding]],
    files: Sequence[Mount],
) -> HostConfig:
    resources = task.spec.resources
    limits = resources.limits
    swap, swappiness = 0, None
    if resources.HasField("swap_bytes"):
        swap = resources.swap_bytes.value
        swap = -1 if swap < 0 else limits.memory_bytes + swap
    if resources.HasField("memory_swappiness") and resources.memory_swappiness.value >= 0:
        swappiness = resources.memory_swappiness.value
    return HostConfig(
        # Reservations are the scheduler's, and nothing that a container is held to.
        memory=max(limits.memory_bytes, 0),
        nano_cpus=max(limits.nano_cpus, 0),
        memory_swap=swap,
        memory_swappiness=swappiness,
        pids_limit=spec.pids_limit or None,
        ulimits=[Ulimit(name=one.name, soft=one.soft, hard=one.hard) for one in spec.ulimits],
        oom_score_adj=spec.oom_score_adj,
        mounts=[*mapping_mounts.mounts(spec.mounts), *files],
        group_add=list(spec.groups),
        readonly_rootfs=spec.read_only,
        init=spec.init.value if spec.HasField("init") else None,
        sysctls=dict(spec.sysctls),
        cap_add=list(spec.capability_add),
        cap_drop=list(spec.capability_drop),
        dns=list(spec.dns_config.nameservers),
        dns_search=list(spec.dns_config.search),
        dns_options=list(spec.dns_config.options),
        extra_hosts=list(_hosts(spec.hosts)),
        security_opt=_security(spec.privileges),
        log_config=LogConfig(type=task.log_driver.name, config=dict(task.log_driver.options)),
        network_mode=networks[0] if networks else "",
        port_bindings=ports,
    )


def _health(spec: pb.ContainerSpec) -> HealthConfig | None:
    if not spec.HasField("healthcheck"):
        return None
    check_ = spec.healthcheck
    return HealthConfig(
        test=list(check_.test),
        interval=_nanoseconds(check_.interval),
        timeout=_nanoseconds(check_.timeout),
        retries=check_.retries,
        start_period=_nanoseconds(check_.start_period),
        start_interval=_nanoseconds(check_.start_interval),
    )


def _nanoseconds(duration: Duration) -> int:
    return int(duration.ToNanoseconds())


def _hosts(entries: Iterable[str]) -> Iterable[str]:
    """Turn hosts(5) lines, ``address name``, into ``name:address``; aliases do not count."""
    for entry in entries:
        words = entry.split()
        if len(words) > 1:
            yield f"{words[1]}:{words[0]}"


def _ports(task: pb.Task) -> dict[str, list[PortBinding]]:
    """What is published on this host itself; port 0 asks for a free one."""
    found: dict[str, list[PortBinding]] = {}
    for port in task.endpoint.ports:
        if port.publish_mode == pb.PortConfig.HOST:
            name = f"{port.target_port}/{_PROTOCOLS.get(port.protocol, 'tcp')}"
            host_port = str(port.published_port) if port.published_port else ""
            found.setdefault(name, []).append(PortBinding(host_port=host_port))
    return found


def port_status(ports: dict[str, list[PortBinding]]) -> list[pb.PortConfig]:
    """Say which host ports a container has; one that is there for both families comes once."""
    numbers = {text: number for number, text in _PROTOCOLS.items()}
    found: dict[tuple[str, str], pb.PortConfig] = {}
    for name, bindings in ports.items():
        target, _, protocol = name.partition("/")
        for binding in bindings:
            if binding.host_port:
                found[name, binding.host_port] = pb.PortConfig(
                    protocol=numbers[protocol],
                    target_port=int(target),
                    published_port=int(binding.host_port),
                    publish_mode=pb.PortConfig.HOST,
                )
    return [found[key] for key in sorted(found)]


def _networks(attachments: Iterable[pb.NetworkAttachment]) -> dict[str, EndpointSettings]:
    """Return the local networks of a task by name; none at all means the default one."""
    found = {}
    for attachment in attachments:
        spec = attachment.network.spec
        name = spec.annotations.name
        driver = attachment.network.driver_state.name or spec.driver_config.name
        if spec.annotations.labels.get(_PREDEFINED) != "true" and driver == "overlay":
            raise NotSupported(
                f"network {name}: workers of davit have no overlay networks yet: use the network "
                "host or bridge with ports in host mode, or place the service on other nodes"
            )
        settings = EndpointSettings()
        if name not in PREDEFINED:
            settings = EndpointSettings(
                aliases=list(attachment.aliases),
                driver_opts=dict(attachment.driver_attachment_opts),
            )
        found[name] = settings
    return found


def _security(privileges: pb.Privileges) -> list[str]:
    if privileges.HasField("credential_spec"):
        raise NotSupported("credential specs are Windows' (gMSA): remove it from the service")
    options = []
    selinux = privileges.selinux_context
    if selinux.disable:
        options.append("label=disable")
    for kind, value in (
        ("user", selinux.user),
        ("role", selinux.role),
        ("type", selinux.type),
        ("level", selinux.level),
    ):
        if value:
            options.append(f"label={kind}:{value}")
    if privileges.seccomp.mode == pb.Privileges.Seccomp.UNCONFINED:
        options.append("seccomp=unconfined")
    elif privileges.seccomp.mode == pb.Privileges.Seccomp.CUSTOM:
        try:
            options.append(f"seccomp={privileges.seccomp.profile.decode()}")
        except UnicodeDecodeError:
            raise InvalidParameter("the custom seccomp profile is not UTF-8") from None
    if privileges.apparmor.mode == pb.Privileges.AppArmor.DISABLED:
        options.append("apparmor=unconfined")
    if privileges.no_new_privileges:
        options.append("no-new-privileges=true")
    return options


def _generic_resources(resources: Iterable[pb.GenericResource]) -> list[str]:
    """``DOCKER_RESOURCE_GPU=uuid1,uuid2``."""
    found: dict[str, list[str]] = {}
    for resource in resources:
        item = resource.named if resource.HasField("named") else resource.discrete
        found.setdefault(f"DOCKER_RESOURCE_{item.kind}".upper(), []).append(str(item.value))
    return [f"{name}={','.join(values)}" for name, values in found.items()]
