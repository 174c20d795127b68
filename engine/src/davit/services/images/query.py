"""Images as lists, history and disk usage show them. Reads only."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from davit.errors import InvalidParameter
from davit.model import times
from davit.model.filters import Filters
from davit.model.image import Image, Listed, Step
from davit.model.reference import Reference
from davit.services.images.content import Content


def select(
    content: Content, filters: Filters, *, all_images: bool = False, shared: bool = False
) -> list[Listed]:
    """Return the images that pass ``LIST_FILTERS``, newest first.

    all_images: also the ones without a tag that others were built from. shared: compute the sizes.
    Raises NotFound for an unknown image in ``before`` or ``since``, InvalidParameter.
    """
    before = _moments(content, filters, "before")
    since = _moments(content, filters, "since")
    until = [times.parse_timestamp(text) for text in filters.get("until")]
    dangling = filters.flag("dangling")
    patterns = [_pattern(text) for text in filters.get("reference")]
    parents = {image.parent for image in content.rows.all()}
    layers = Counter(layer for image in content.rows.all() for layer in set(image.layers))
    users = Counter(container.image_id for container in content.containers.all())
    found = []
    for image in content.rows.all():
        tags = tuple(tag for tag in image.tags if not patterns or _matches(patterns, tag))
        digests = tuple(name for name in image.digests if not patterns or _matches(patterns, name))
        if not tags and not digests:
            hidden = image.id in parents and not all_images
            if hidden or patterns or dangling is False:
                continue
        if dangling and image.tags:
            continue
        if not filters.accepts_labels(image.labels):
            continue
        # An image is older than itself for neither.
        if not all(image.created < limit for limit in [*before, *until]):
            continue
        if not all(image.created > limit for limit in since):
            continue
        found.append(
            Listed(
                image=image,
                tags=tags,
                digests=digests,
                containers=users[image.id],
                shared_size=_shared(content, image, layers) if shared else -1,
            )
        )
    return sorted(found, key=lambda entry: entry.image.created, reverse=True)


def history(content: Content, image: Image) -> list[Step]:
    """Return what made the image, newest first; only the first step has its ID and tags."""
    layers = iter(image.layers)
    steps = []
    for entry in image.config.history:
        layer = None if entry.empty_layer else content.layers.find(next(layers, ""))
        steps.append(Step(history=entry, size=layer.size if layer else 0))
    steps.reverse()
    for first in steps[:1]:
        steps[0] = Step(history=first.history, size=first.size, id=image.id, tags=image.tags)
    return steps


def layers_size(content: Content) -> int:
    """Bytes of all layers in the store, each counted once."""
    return sum(layer.size for layer in content.layers.all())


def _moments(content: Content, filters: Filters, name: str) -> list[int]:
    return [content.rows.get(text).created for text in filters.get(name)]


def _shared(content: Content, image: Image, users: Counter[str]) -> int:
    found = (content.layers.find(layer) for layer in set(image.layers) if users[layer] > 1)
    return sum(layer.size for layer in found if layer)


def _matches(patterns: Iterable[re.Pattern[str]], name: str) -> bool:
    """A pattern may fit the whole reference or its repository."""
    repository = Reference.parse(name).repository
    return any(pattern.match(name) or pattern.match(repository) for pattern in patterns)


def _pattern(text: str) -> re.Pattern[str]:
    """Translate a pattern of Go's ``path.Match``: ``*`` and ``?`` do not match a slash."""
    out = []
    rest = text
    while rest:
        if group := re.match(r"\[\^?[^]]+\]", rest):
            out.append(group[0])
            rest = rest[group.end() :]
            continue
        out.append({"*": "[^/]*", "?": "[^/]"}.get(rest[0]) or re.escape(rest[0]))
        rest = rest[1:]
    try:
        return re.compile("".join(out) + r"\Z")
    except re.error:
        raise InvalidParameter(f"invalid filter 'reference={text}': bad pattern") from None
