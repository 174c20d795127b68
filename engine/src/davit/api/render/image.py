"""Images as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from davit.model import codec, times
from davit.model.image import Image, Listed, Step

_NONE = "<none>"
# API versions as clients know them.
_EMPTY_LISTS = (1, 43)
_NO_VIRTUAL_SIZE = (1, 44)
# ContainerConfig fields that say nothing about an image and are gone from its ``Config``.
_RUN_ONLY = (
    "Hostname",
    "Domainname",
    "AttachStdin",
    "AttachStdout",
    "AttachStderr",
    "Tty",
    "OpenStdin",
    "StdinOnce",
    "Image",
    "NetworkDisabled",
    "MacAddress",
    "StopTimeout",
)
_SLIM_CONFIG = (1, 50)
_FULL_CONFIG = (1, 49)
# Left out when they say nothing.
_OPTIONAL = (
    "Healthcheck",
    "ArgsEscaped",
    "StopSignal",
    "StopTimeout",
    "Shell",
    "ExposedPorts",
    "MacAddress",
    "NetworkDisabled",
)
_NULLABLE = ("Env", "OnBuild", "Labels", "Volumes")


def summary(entry: Listed, version: tuple[int, int]) -> dict[str, Any]:
    """``ImageSummary`` of the Engine API."""
    image = entry.image
    tags, digests = list(entry.tags), list(entry.digests)
    if version < _EMPTY_LISTS and not tags and not digests:
        tags, digests = [f"{_NONE}:{_NONE}"], [f"{_NONE}@{_NONE}"]
    shown: dict[str, Any] = {
        "Containers": -1,
        "Created": image.created // 10**9,
        "Id": image.id,
        "Labels": image.labels or None,
        "ParentId": image.parent,
        "RepoDigests": digests,
        "RepoTags": tags,
        "SharedSize": entry.shared_size,
        "Size": image.size,
    }
    if entry.shared_size >= 0:
        shown["Containers"] = entry.containers
    if version < _NO_VIRTUAL_SIZE:
        shown["VirtualSize"] = image.size
    return shown


def inspect(image: Image, layers: Sequence[Path], version: tuple[int, int]) -> dict[str, Any]:
    """``ImageInspect`` of the Engine API. layers: their directories, lowest first."""
    config = image.config
    shown: dict[str, Any] = {
        "Id": image.id,
        "RepoTags": list(image.tags),
        "RepoDigests": list(image.digests),
        "Parent": image.parent,
        "Comment": config.comment,
        "DockerVersion": config.docker_version,
        "Author": config.author,
        "Config": _config(image, version),
        "Architecture": config.architecture,
        "Os": config.os,
        "Size": image.size,
        "GraphDriver": {"Name": "overlay2", "Data": _directories(layers)},
        "RootFS": {"Type": "layers", **({"Layers": image.layers} if image.layers else {})},
        "Metadata": {"LastTagTime": times.rfc3339(image.tagged)},
    }
    if config.created:
        shown["Created"] = config.created
    if config.variant:
        shown["Variant"] = config.variant
    if version < _NO_VIRTUAL_SIZE:
        shown["VirtualSize"] = image.size
    # Gone from the API since 1.45. But docker-compose 1, which speaks the newest version that it is
    # offered, cannot recreate a container without them, and docker-py's tests ask for them.
    shown["Container"] = config.container
    shown["ContainerConfig"] = _config(image, _FULL_CONFIG)
    return shown


def step(entry: Step) -> dict[str, Any]:
    """``HistoryResponseItem`` of the Engine API."""
    created = entry.history.created
    return {
        "Comment": entry.history.comment,
        "Created": times.parse_rfc3339(created) // 10**9 if created else 0,
        "CreatedBy": entry.history.created_by,
        "Id": entry.id or "<missing>",
        "Size": entry.size,
        "Tags": list(entry.tags) or None,
    }


def _config(image: Image, version: tuple[int, int]) -> dict[str, Any]:
    config: dict[str, Any] = codec.builtins(image.config.config)
    for name in _OPTIONAL:
        if not config[name]:
            del config[name]
    for name in _NULLABLE:
        config[name] = config[name] or None
    for name in ("Cmd", "Entrypoint"):
        if isinstance(config[name], str):
            config[name] = [config[name]]
    if version >= _SLIM_CONFIG:
        config = {name: value for name, value in config.items() if name not in _RUN_ONLY}
    return config


def _directories(layers: Sequence[Path]) -> dict[str, str] | None:
    """The names that Docker's overlay2 driver gives them: the top layer and the ones below."""
    if not layers:
        return None
    data = {"UpperDir": str(layers[-1])}
    if len(layers) > 1:
        data["LowerDir"] = ":".join(str(path) for path in reversed(layers[:-1]))
    return data
