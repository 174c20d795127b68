"""The cache of steps: images of earlier builds, found by what made them.

A step's key is a digest of all that its result depends on beside the image before it: the
instruction with its variables expanded, the build arguments a command sees, what the files are that
it copies (contents, modes, owners, attributes; no times), and the configuration that comes out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from davit.errors import NotFound
from davit.model import codec
from davit.model.config import ContainerConfig
from davit.model.image import Image
from davit.model.platform import Platform
from davit.services.build.needs import Images


def key(created_by: str, config: ContainerConfig, author: str, extra: Sequence[str]) -> str:
    """Return a step's key. extra: what the text of the history does not tell."""
    whole = [created_by, codec.builtins(config), author, list(extra)]
    return f"sha256:{hashlib.sha256(codec.encode(whole)).hexdigest()}"


def _platform(image: Image) -> Platform:
    config = image.config
    return Platform(os=config.os, architecture=config.architecture, variant=config.variant)


class StepCache:
    """Finds what is there already; once a step was not, nothing after it is."""

    def __init__(
        self, images: Images, *, off: bool, sources: Sequence[str], exclusive: bool
    ) -> None:
        """sources: images that lend their steps, too.

        exclusive: with some, only these and those they were made from are looked at.
        """
        self._images = images
        self._off = off
        self._sources = self._named(sources)
        self._allowed = self._ancestry() if sources and exclusive else None

    def find(self, parent: Image | None, step: str, wanted: Platform) -> Image | None:
        """The newest image that the same step has made of the same parent.

        wanted: what an image without a parent has to be for.
        """
        if self._off:
            return None
        parent_id = parent.id if parent is not None else ""
        found = [
            image
            for image in self._images.all()
            if image.step == step
            and image.parent == parent_id
            and (parent is not None or _platform(image) == wanted)
            and (self._allowed is None or image.id in self._allowed)
        ]
        return max(found, key=lambda image: image.created, default=None)

    def layer(self, parent: Image | None, created_by: str, wanted: Platform) -> tuple[bool, str]:
        """Whether an image of the sources that came from elsewhere has this step, and its layer.

        Such an image tells of its steps by its history only: texts and layers up to here have to
        be the same. No layer (empty): the step makes none.
        """
        if self._off:
            return False, ""
        history = parent.config.history if parent is not None else []
        layers = parent.layers if parent is not None else []
        for image in self._sources:
            steps = image.config.history
            if image.step or len(steps) <= len(history) or image.layers[: len(layers)] != layers:
                continue
            if parent is None and _platform(image) != wanted:
                continue
            texts = [step.created_by for step in steps[: len(history) + 1]]
            if texts != [*(step.created_by for step in history), created_by]:
                continue
            if steps[len(history)].empty_layer:
                return True, ""
            if len(image.layers) > len(layers):
                return True, image.layers[len(layers)]
        return False, ""

    def _named(self, sources: Sequence[str]) -> list[Image]:
        found = []
        for name in sources:
            try:
                found.append(self._images.resolve(name))
            except NotFound:
                continue  # As with Docker: what is not there cannot help.
        return found

    def _ancestry(self) -> set[str]:
        by_id = {image.id: image for image in self._images.all()}
        allowed: set[str] = set()
        for image in self._sources:
            one: Image | None = image
            while one is not None and one.id not in allowed:
                allowed.add(one.id)
                one = by_id.get(one.parent)
        return allowed
