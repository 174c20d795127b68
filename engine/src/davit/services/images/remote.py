"""Images of registries, as the API uses them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from davit.drivers.registry.client import RegistryClient
from davit.errors import InvalidParameter
from davit.model.image import Distribution, Image, Progress
from davit.model.reference import Reference
from davit.model.registry import AuthConfig
from davit.services.images.content import Content
from davit.services.registries import credentials

if TYPE_CHECKING:
    from davit.services.images.pull import Puller
    from davit.services.images.push import Pusher

Publish = Callable[[str, str, str, Mapping[str, str]], None]
Report = Callable[[Progress], None]


class RemoteImages:
    """What moves images is imported when the first one moves.

    publish: ``(type, action, actor, attributes)``.
    """

    def __init__(self, content: Content, client: RegistryClient, publish: Publish) -> None:
        self._content = content
        self._client = client
        self._publish = publish

    async def pull(self, name: str, *, platform: str, auth: AuthConfig, report: Report) -> Image:
        """Pull ``repository[:tag][@digest]``. platform: ``os/architecture/variant`` or empty.

        report: called in the event loop with each line of progress. Raises NotFound,
        Forbidden, Unavailable, InvalidParameter, NotSupported.
        """
        reference = Reference.parse(name)
        image = await self._puller.pull(reference, platform, credentials(auth), report)
        attributes = {**image.labels, "name": reference.repository}
        self._publish("image", "pull", str(reference), attributes)
        return image

    async def pull_all(self, name: str, *, platform: str, auth: AuthConfig, report: Report) -> None:
        """Pull all tags of a repository. Arguments and errors as for ``pull``."""
        reference = Reference.parse(name)
        await self._puller.pull_all(reference, platform, credentials(auth), report)
        repository = reference.repository
        self._publish("image", "pull", repository, {"name": repository})

    async def inspect(self, name: str, *, auth: AuthConfig) -> Distribution:
        """Tell what a registry has under a name. Raises NotFound, Forbidden, Unavailable."""
        from davit.services.images.inspect import inspect

        return await inspect(self._client, Reference.parse(name), credentials(auth))

    async def push(self, name: str, *, tag: str, auth: AuthConfig, report: Report) -> None:
        """Push ``repository[:tag]``. tag: instead of the name's; without any all tags.

        report: as for ``pull``. Raises NotFound, Forbidden, Unavailable.
        """
        reference = Reference.parse(Reference.parse_tag(name, tag) if tag else name)
        if reference.digest:
            raise InvalidParameter(f"cannot push a digest reference: {name}: push a tag")
        await self._pusher.push(reference, credentials(auth), report)
        shown = str(reference) if reference.tag else reference.repository
        self._publish("image", "push", shown, {"name": reference.repository})

    @cached_property
    def _puller(self) -> Puller:
        from davit.services.images.pull import Puller

        return Puller(self._content, self._client)

    @cached_property
    def _pusher(self) -> Pusher:
        from davit.services.images.push import Pusher

        return Pusher(self._content, self._client)
