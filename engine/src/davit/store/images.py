"""Images' rows: all in memory, written through to SQLite, found by ID, tag, digest or ID prefix."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from msgspec.structs import replace

from davit.errors import InvalidParameter, NotFound
from davit.model import codec, ids, times
from davit.model.image import Image
from davit.model.reference import Reference, is_digest
from davit.store.db import Database

_TABLE = "images"
_SCHEME = "sha256:"


class ImageStore:
    """Images by ID. Reads are plain look-ups; what changes together is written together."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows: dict[str, Image] = {}
        self._tags: dict[str, str] = {}

    async def load(self) -> None:
        """Read all rows; once, at start-up."""
        for key, body in await self._database.load(_TABLE):
            self._show(key, codec.decode(body, Image))

    def all(self) -> list[Image]:
        """All images, oldest first."""
        return list(self._rows.values())

    def find(self, image_id: str) -> Image | None:
        """The image with this full ID."""
        return self._rows.get(image_id)

    def tagged(self, tag: str) -> Image | None:
        """The image that has this ``repository:tag``."""
        return self._rows.get(self._tags.get(tag, ""))

    def get(self, text: str) -> Image:
        """Find by full ID, reference (tag or digest) or unique ID prefix, in this order.

        Raises NotFound; InvalidParameter for a text that can name no image, or names several.
        """
        if is_digest(text):
            return self._rows.get(text) or _missing(text)
        prefix = text.removeprefix(_SCHEME)
        if not ids.is_hex(prefix) or len(prefix) < 64:
            reference = _parse(text)
            found = self._named(reference) if reference else None
            if found is not None:
                return found
        else:
            reference = None
        if ids.is_hex(prefix):
            fitting = [key for key in self._rows if key.startswith(_SCHEME + prefix)]
            if len(fitting) > 1:
                raise InvalidParameter(
                    f"ambiguous reference: several image IDs begin with {prefix}: give more of "
                    "its digits"
                )
            if fitting:
                return self._rows[fitting[0]]
        return _missing(str(reference) if reference else text)

    async def change(self, changed: Iterable[Image], removed: Iterable[str] = ()) -> None:
        """Replace rows and delete others; return when that is on disk, in one transaction.

        Memory changes at once, so that no two callers work on different states.
        """
        changed, removed = list(changed), list(removed)
        for image_id in removed:
            self._hide(image_id)
        for image in changed:
            self._hide(image.id)
        for image in changed:
            self._show(image.id, image)
        bodies = [(image.id, codec.encode(image)) for image in changed]

        def write(db: sqlite3.Connection) -> None:
            db.executemany(f"DELETE FROM {_TABLE} WHERE key = ?", [(key,) for key in removed])
            db.executemany(f"INSERT OR REPLACE INTO {_TABLE} VALUES (?, ?)", bodies)

        await self._database.run(write)

    async def tag(
        self,
        wishes: Iterable[tuple[Image, Iterable[str]]],
        manifests: Mapping[str, str] = MappingProxyType({}),
    ) -> dict[str, Image]:
        """Insert images, or give present ones further names, in one transaction.

        Returns all that changed, by ID. (By then they may have been changed again, or removed.)

        manifests: what an image's manifest is from now on, by image ID.

        A name is ``repository:tag`` or ``repository@sha256:…``. It is taken from the image that had
        it; of two wishes for one the later gets it.
        """
        changed: dict[str, Image] = {}
        holders: dict[str, str] = {}

        def present(image_id: str) -> Image | None:
            return changed.get(image_id) or self._rows.get(image_id)

        for wish, names in wishes:
            changed[wish.id] = present(wish.id) or wish
            for name in names:
                holder = present(holders.get(name) or self._holder(name))
                if holder is not None and holder.id != wish.id:
                    changed[holder.id] = _without(holder, name)
                changed[wish.id] = _with(changed[wish.id], name)
                holders[name] = wish.id
            if wish.id in manifests:
                changed[wish.id] = replace(changed[wish.id], manifest=manifests[wish.id])
        await self.change(changed.values())
        return changed

    def _named(self, reference: Reference) -> Image | None:
        if not reference.digest:
            return self.tagged(reference.tagged)
        for image in self._rows.values():
            if str(reference) in image.digests:
                return image
        return None

    def _holder(self, name: str) -> str:
        if "@" not in name:
            return self._tags.get(name, "")
        return next((image.id for image in self._rows.values() if name in image.digests), "")

    def _show(self, key: str, image: Image) -> None:
        self._rows[key] = image
        for tag in image.tags:
            self._tags[tag] = key

    def _hide(self, key: str) -> None:
        image = self._rows.pop(key, None)
        for tag in image.tags if image else ():
            if self._tags.get(tag) == key:
                del self._tags[tag]


def _with(image: Image, name: str) -> Image:
    if "@" in name:
        return replace(image, digests=tuple(dict.fromkeys((*image.digests, name))))
    return replace(image, tags=tuple(dict.fromkeys((*image.tags, name))), tagged=times.now())


def _without(image: Image, name: str) -> Image:
    return replace(
        image,
        tags=tuple(other for other in image.tags if other != name),
        digests=tuple(other for other in image.digests if other != name),
    )


def _parse(text: str) -> Reference | None:
    """The reference, or None for an ID's beginning behind its ``sha256:``."""
    if text.startswith(_SCHEME) and ids.is_hex(text.removeprefix(_SCHEME)):
        return None
    return Reference.parse(text)


def _missing(name: str) -> Image:
    raise NotFound(f"No such image: {name}")
