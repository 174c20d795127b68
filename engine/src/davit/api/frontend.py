"""What clients of BuildKit ask of the frontend for Dockerfiles, as a build's request. Pure.

Source: BuildKit's documentation of ``dockerfile.v0``.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping

from davit.errors import InvalidParameter, NotSupported
from davit.model.build import BuildRequest
from davit.model.config import Ulimit
from davit.model.reference import Reference

_FRONTEND = "dockerfile.v0"
_ARG, _LABEL = "build-arg:", "label:"
_REFUSED = {
    "context:": "build contexts with names: use stages, or images by their own names",
    "input:": "inputs that are no image",
    "attest:sbom": "lists of an image's software",
}
_EXPORTERS = ("", "moby", "docker", "image")


def request(
    frontend: str,
    attributes: Mapping[str, str],
    *,
    session: str,
    build_id: str,
    tags: tuple[str, ...],
    cache_from: list[str],
) -> BuildRequest:
    """Raises InvalidParameter, NotSupported."""
    if frontend != _FRONTEND:
        raise NotSupported(
            f"frontend {frontend or 'LLB'!r}: davit builds Dockerfiles with a builder of its own "
            f"({_FRONTEND}): build with a docker-container builder (docker buildx create)"
        )
    for name in attributes:
        for prefix, what in _REFUSED.items():
            if name.startswith(prefix):
                raise NotSupported(f"{name}: davit's builder does not have {what}")
    return BuildRequest(
        dockerfile=attributes.get("filename", ""),
        remote=attributes.get("context", ""),
        tags=tags,
        no_cache="no-cache" in attributes,
        cache_from=cache_from,
        pull=attributes.get("image-resolve-mode") == "pull",
        force_remove=True,
        args=dict(_below(attributes, _ARG)),
        labels=_below(attributes, _LABEL),
        network_mode=attributes.get("force-network-mode", ""),
        target=attributes.get("target", ""),
        platform=attributes.get("platform", ""),
        extra_hosts=[item.replace("=", ":", 1) for item in _list(attributes, "add-hosts")],
        ulimits=[_ulimit(item) for item in _list(attributes, "ulimit")],
        cgroup_parent=attributes.get("cgroup-parent", ""),
        shm_size=_number("shm-size", attributes.get("shm-size", "0")),
        session=session,
        build_id=build_id,
    )


def tags(exporter: str, attributes: Mapping[str, str]) -> tuple[str, ...]:
    """The names for the image. Raises InvalidParameter, NotSupported for another exporter."""
    if exporter not in _EXPORTERS or "dest" in attributes:
        raise NotSupported(
            f"exporter {exporter!r}: davit's builds end as an image of this engine, with layers"
        )
    if attributes.get("push", "false") != "false":
        raise NotSupported("push=true: build first, and then docker push")
    names = [Reference.parse_tag(text) for text in _list(attributes, "name") if text]
    return tuple(dict.fromkeys(names))


def cache_source(kind: str, attributes: Mapping[str, str]) -> str:
    """An image's name, or what else the cache is to come from, in the client's words."""
    if kind == "registry":
        return attributes.get("ref", "")
    return ",".join([f"type={kind}", *(f"{name}={attributes[name]}" for name in attributes)])


def _below(attributes: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {
        name[len(prefix) :]: value for name, value in attributes.items() if name.startswith(prefix)
    }


def _list(attributes: Mapping[str, str], name: str) -> list[str]:
    return next(csv.reader([attributes.get(name, "")]), [])


def _ulimit(text: str) -> Ulimit:
    name, _, limits = text.partition("=")
    soft, _, hard = limits.partition(":")
    return Ulimit(name=name, soft=_number(name, soft), hard=_number(name, hard or soft))


def _number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidParameter(f"invalid {name}={text!r}: a whole number is needed") from None
