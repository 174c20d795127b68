"""Pure: templates in a task's specification, secrets and configs, with what they may name.

Source: docker-service-create(1), "Create services using templates"; SwarmKit expands them where
the task runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from davit._pb import swarmkit_pb2 as pb
from davit.errors import InvalidParameter
from davit.services.swarm.exec_needs import NodeFacts
from davit.services.swarm.needs import Dependencies
from davit.services.swarm.template import TemplateError, expand
from davit.services.swarm.template_functions import Fields, Function

_GOLANG = "golang"


def name_of(task: pb.Task) -> str:
    """The name of a task and of its container."""
    if task.annotations.name:
        return task.annotations.name
    return f"{task.service_annotations.name}.{_slot(task)}.{task.id}"


def expanded(task: pb.Task, node: NodeFacts) -> pb.ContainerSpec:
    """Return the task's specification without templates. Raises InvalidParameter."""
    fields = _fields(task, node)
    spec = pb.ContainerSpec()
    spec.CopyFrom(task.spec.container)

    def fill(what: str, text: str) -> str:
        try:
            return expand(text, fields)
        except TemplateError as error:
            raise InvalidParameter(
                f"expanding {what} failed: expanding {text!r}: {error.reason}"
            ) from None

    spec.env[:] = [fill("env", entry) for entry in spec.env]
    spec.hostname = fill("hostname", spec.hostname)
    for mount in spec.mounts:
        mount.source = fill("mounts", mount.source)
        mount.target = fill("mounts", mount.target)
        options = mount.volume_options
        for texts in (options.labels, options.driver_config.options):
            for key in list(texts):
                texts[key] = fill("mounts", texts[key])
    return spec


@dataclass(frozen=True)
class Payloads:
    """Contents of a task's secrets and configs. Errors name these, and never quote them."""

    task: pb.Task
    node: NodeFacts
    env: tuple[str, ...]
    dependencies: Dependencies

    def secret(self, reference: pb.SecretReference) -> bytes:
        """Raises InvalidParameter."""
        spec = self._secret(reference).spec
        return self._expand("secret", reference.secret_name, spec.data, spec.templating.name)

    def config(self, reference: pb.ConfigReference) -> bytes:
        """Raises InvalidParameter."""
        spec = self._config(reference).spec
        return self._expand("config", reference.config_name, spec.data, spec.templating.name)

    def _secret(self, reference: pb.SecretReference) -> pb.Secret:
        own = f"{reference.secret_id}.{self.task.id}"  # of a driver that makes one for each task
        found = self.dependencies.secret(reference.secret_id) or self.dependencies.secret(own)
        if found is None:
            raise InvalidParameter(_missing("secret", reference.secret_name, reference.secret_id))
        return found

    def _config(self, reference: pb.ConfigReference) -> pb.Config:
        found = self.dependencies.config(reference.config_id)
        if found is None:
            raise InvalidParameter(_missing("config", reference.config_name, reference.config_id))
        return found

    def _expand(self, kind: str, name: str, data: bytes, templating: str) -> bytes:
        if not templating:
            return data
        if templating != _GOLANG:
            raise InvalidParameter(f"{kind} {name}: unrecognized template type {templating!r}")
        try:
            made = expand(_text(data), _fields(self.task, self.node), self._functions())
        except TemplateError as error:
            reason = "" if kind == "secret" else f": {error.reason}"
            raise InvalidParameter(
                f"{kind} {name}: its template cannot be expanded (line {error.line}){reason}"
            ) from None
        return made.encode("utf-8", "surrogateescape")

    def _functions(self) -> Mapping[str, Function]:
        container = self.task.spec.container

        def env(name: str) -> str:
            found = (entry.partition("=") for entry in self.env)
            return next((value for key, equals, value in found if equals and key == name), "")

        def secret(target: str) -> str:
            for reference in container.secrets:
                if reference.file.name == target:
                    return _text(self._secret(reference).spec.data)
            raise ValueError(f"secret target {target} not found")

        def config(target: str) -> str:
            for reference in container.configs:
                if reference.file.name == target:
                    return _text(self._config(reference).spec.data)
            raise ValueError(f"config target {target} not found")

        return {"env": env, "secret": secret, "config": config}


def _fields(task: pb.Task, node: NodeFacts) -> Fields:
    service = task.service_annotations
    platform = Fields(Architecture=node.architecture, OS=node.os)
    return Fields(
        Service=Fields(ID=task.service_id, Name=service.name, Labels=dict(service.labels)),
        Node=Fields(ID=task.node_id, Hostname=node.hostname, Platform=platform),
        Task=Fields(ID=task.id, Name=name_of(task), Slot=_slot(task)),
    )


def _slot(task: pb.Task) -> str:
    """Tasks of global services have none, and go by their node."""
    return str(task.slot) if task.slot else task.node_id


def _text(data: bytes) -> str:
    # Bytes that are no UTF-8 go through as they are.
    return data.decode("utf-8", "surrogateescape")


def _missing(kind: str, name: str, its_id: str) -> str:
    return f"{kind} {name} ({its_id}) not found: the manager has not sent it to this node"
