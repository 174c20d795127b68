"""Removing images: taking a tag off, deleting the image once nothing names it, pruning."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable

from msgspec.structs import replace

from davit.errors import Conflict
from davit.model import ids
from davit.model.build import STEP, CacheRecord
from davit.model.filters import Filters
from davit.model.image import Image, Removed
from davit.model.reference import Reference
from davit.services.images.content import Content

Tell = Callable[[str, Image], None]
"""Publishes an event: action and image."""


async def remove(content: Content, text: str, tell: Tell, *, force: bool) -> list[Removed]:
    """Take the named tag off, or delete the image when it has no other or is named by its ID.

    Raises NotFound; Conflict when a container uses the image, or tags of several repositories are
    on it. force: a stopped container does not hold it, several tags do not either.
    """
    image = content.rows.get(text)
    name = _named(image, text)
    if not name:
        if not force:
            _refuse_references(image)
        _refuse_users(content, image, force)
        return await _delete(content, image, tell)
    if not force and _is_last(image):
        user = next(iter(_users(content, image)), None)
        if user is not None:
            raise Conflict(
                f'conflict: unable to remove repository reference "{text}" (must force) - '
                f"container {user} is using its referenced image {ids.short(image.id)}"
            )
    await _untag(content, image, name, tell)
    removed = [Removed(untagged=name)]
    left = content.rows.find(image.id)
    # The digest of another repository names it, too. And an image in use stays, without a name, for
    # as long as the container is there.
    if left is None or left.tags or left.digests or _is_used(content, left):
        return removed
    return [*removed, *await _delete(content, left, tell)]


async def prune(content: Content, filters: Filters, tell: Tell) -> tuple[list[Removed], int]:
    """Remove images that no container uses; return what was done and the bytes gained.

    Filters: ``dangling`` (default true: only images without tag), ``until``, ``label``, ``label!``.
    """
    dangling = filters.flag("dangling") is not False
    until = filters.until()
    removed: list[Removed] = []
    before = {layer.diff_id: layer.size for layer in content.layers.all()}
    for listed in content.rows.all():
        image = content.rows.find(listed.id)
        if image is None:
            continue
        wanted = (
            filters.accepts_labels(image.labels)
            and not filters.rejects_labels(image.labels)
            and (until is None or image.created < until)
        )
        if wanted and not (dangling and image.tags) and not _is_used(content, image):
            removed += await _delete(content, image, tell)
    await content.sweep(every=True)
    # Not the difference of two sums: another image may have come meanwhile.
    gone = before.keys() - {layer.diff_id for layer in content.layers.all()}
    return removed, sum(before[diff_id] for diff_id in gone)


async def _untag(content: Content, image: Image, name: str, tell: Tell) -> None:
    tags = tuple(tag for tag in image.tags if tag != name)
    repository = Reference.parse(name).repository
    digests = tuple(digest for digest in image.digests if digest != name)
    if not any(Reference.parse(tag).repository == repository for tag in tags):
        # Digests say where a tag came from; without one they would keep the image alive.
        digests = tuple(d for d in digests if Reference.parse(d).repository != repository)
    image = replace(image, tags=tags, digests=digests)
    await content.rows.change([image])
    tell("untag", image)


def steps(content: Content) -> list[CacheRecord]:
    """What builds keep for later ones: images of steps that have no name."""
    images = content.rows.all()
    shared = _ancestors(content, [image for image in images if image.tags])
    found = []
    for image in images:
        if not image.step or image.tags:
            continue
        parent = content.rows.find(image.parent)
        below = len(parent.layers) if parent is not None else 0
        own = [content.layers.get(diff_id).size for diff_id in image.layers[below:]]
        record = CacheRecord(
            id=image.id,
            kind=STEP,
            parent=image.parent if parent is not None and parent.step else "",
            description=image.config.history[-1].created_by,
            size=sum(own),
            created=image.created,
            is_used=_is_used(content, image),
            is_shared=image.id in shared,
        )
        found.append(record)
    return found


async def remove_steps(content: Content, wanted: Collection[str], tell: Tell) -> int:
    """Remove images of steps, by their IDs, unless they are used; return the bytes gained."""
    found = [image for name in wanted if (image := content.rows.find(name)) is not None]
    found = [image for image in found if not _is_used(content, image)]
    before = {layer.diff_id: layer.size for layer in content.layers.all()}
    await content.rows.change([], [image.id for image in found])
    await content.sweep(_layers_of(found))
    for image in found:
        tell("delete", image)
    gone = before.keys() - {layer.diff_id for layer in content.layers.all()}
    return sum(before[diff_id] for diff_id in gone)


def _ancestors(content: Content, images: Iterable[Image]) -> set[str]:
    """IDs of the images that these were made from, here."""
    found: set[str] = set()
    for image in images:
        parent = content.rows.find(image.parent)
        while parent is not None and parent.id not in found:
            found.add(parent.id)
            parent = content.rows.find(parent.parent)
    return found


def _steps_of(content: Content, image: Image) -> list[Image]:
    """What is left of a build when its image goes: the steps that no other image was made from."""
    steps = []
    gone = {image.id}
    parent = content.rows.find(image.parent)
    while parent is not None and parent.step and not parent.tags:
        children = [other.id for other in content.rows.all() if other.parent == parent.id]
        if not gone.issuperset(children) or _is_used(content, parent):
            break
        steps.append(parent)
        gone.add(parent.id)
        parent = content.rows.find(parent.parent)
    return steps


def _layers_of(images: Iterable[Image]) -> set[str]:
    return {diff_id for image in images for diff_id in image.layers}


async def _delete(content: Content, image: Image, tell: Tell) -> list[Removed]:
    steps = _steps_of(content, image)
    await content.rows.change([], [image.id, *(step.id for step in steps)])
    removed = [Removed(untagged=name) for name in (*image.tags, *image.digests)]
    for _ in image.tags:
        tell("untag", image)
    await content.sweep(_layers_of([image, *steps]))
    tell("delete", image)
    gone = [
        Removed(deleted=chain)
        for chain, diff_id in zip(_chain_ids(image), image.layers, strict=True)
        if content.layers.find(diff_id) is None
    ]
    deleted = [Removed(deleted=one.id) for one in (image, *steps)]
    return [*removed, *deleted, *reversed(gone)]


def _named(image: Image, text: str) -> str:
    """The tag or digest that ``text`` is, empty when it is an ID (or the beginning of one)."""
    if image.id.removeprefix("sha256:").startswith(text.removeprefix("sha256:")):
        return ""
    return str(Reference.parse(text))


def _is_last(image: Image) -> bool:
    """Whether all that names the image is one tag (and digests of the same repository)."""
    names = (*image.tags, *image.digests)
    repositories = {Reference.parse(name).repository for name in names}
    return len(image.tags) <= 1 and len(repositories) <= 1


def _refuse_references(image: Image) -> None:
    if not _is_last(image):
        raise Conflict(
            f"conflict: unable to delete {ids.short(image.id)} (must be forced) - image is "
            f"referenced in multiple repositories: {', '.join(image.tags)}"
        )


def _refuse_users(content: Content, image: Image, force: bool) -> None:
    if content.is_pinned(image.id):
        raise Conflict(
            f"conflict: unable to delete {ids.short(image.id)} (cannot be forced) - image is being "
            "used by a build: wait for its end"
        )
    for container in content.containers.all():
        if image.id not in container.images:
            continue
        if container.state.status.is_running:
            raise Conflict(
                f"conflict: unable to delete {ids.short(image.id)} (cannot be forced) - image is "
                f"being used by running container {ids.short(container.id)}"
            )
        if not force:
            raise Conflict(
                f"conflict: unable to delete {ids.short(image.id)} (must be forced) - image is "
                f"being used by stopped container {ids.short(container.id)}"
            )


def _is_used(content: Content, image: Image) -> bool:
    return content.is_pinned(image.id) or bool(_users(content, image))


def _users(content: Content, image: Image) -> list[str]:
    """Short IDs of the containers, running or not, that were made from the image or mount it."""
    return [
        ids.short(container.id)
        for container in content.containers.all()
        if image.id in container.images
    ]


def _chain_ids(image: Image) -> list[str]:
    """The IDs by which Docker tells deleted layers: each depends on the ones below.

    Source: OCI image specification, config.md, "Layer ChainID".
    """
    chains = image.layers[:1]
    for diff_id in image.layers[1:]:
        both = f"{chains[-1]} {diff_id}".encode()
        chains.append(f"sha256:{hashlib.sha256(both).hexdigest()}")
    return chains
