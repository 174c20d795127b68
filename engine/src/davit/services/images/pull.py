"""Pull: a manifest, its configuration, and the layers that the store lacks, all at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import TypeVar

from davit.drivers.registry.client import RegistryClient
from davit.drivers.registry.repository import LARGEST_DOCUMENT, Repository
from davit.drivers.registry.tags import tags
from davit.errors import (
    DavitError,
    Forbidden,
    InvalidParameter,
    NotFound,
    SystemFailure,
    Unauthorized,
)
from davit.model import ids, platform
from davit.model.image import Amount, Descriptor, Image, ImageConfig, Progress
from davit.model.platform import Platform
from davit.model.reference import DEFAULT_DOMAIN, DEFAULT_TAG, Reference
from davit.model.registry import Credentials
from davit.services.images import manifests
from davit.services.images.content import Content, NewImage, read_config
from davit.services.images.manifests import Index, Manifest
from davit.services.images.together import together
from davit.services.images.transfers import Source, Transfers
from davit.store.blobs import check_digest, digest_of

logger = logging.getLogger(__name__)

T = TypeVar("T")
Report = Callable[[Progress], None]

_DEEPEST = 4


class Puller:
    """Pulls images. One for a store, so that pulls share what they download."""

    def __init__(self, content: Content, client: RegistryClient) -> None:
        self._content = content
        self._client = client
        self._transfers = Transfers(content)

    async def pull(
        self, reference: Reference, wanted: str, credentials: Credentials, report: Report
    ) -> Image:
        """Pull one image. wanted: platform; report: called with each line of progress.

        Raises NotFound in Docker's words, Forbidden, Unavailable, InvalidParameter for what is
        damaged, NotSupported. What was finished by then is kept for a while.
        """
        image, newer = await self._first(
            reference, lambda where: self._pull(where, reference, wanted, credentials, report)
        )
        report(_outcome(newer, str(reference)))
        return image

    async def pull_all(
        self, reference: Reference, wanted: str, credentials: Credentials, report: Report
    ) -> list[Image]:
        """Pull all tags of a repository, one after the other; the first that fails ends it.

        Arguments and errors as for ``pull``; NotFound also when there is no tag.
        """

        async def list_tags(where: str) -> list[str]:
            async with self._client.repository(where, reference.path, credentials) as repository:
                return await tags(repository)

        found = await self._first(reference, list_tags)
        if not found:
            raise NotFound(f"repository {reference.repository} not found: it has no tags")
        images = []
        any_newer = False
        for tag in found:
            one = replace(reference, tag=tag)
            image, newer = await self._first(
                one,
                partial(
                    self._pull, reference=one, wanted=wanted, credentials=credentials, report=report
                ),
            )
            images.append(image)
            any_newer = any_newer or newer
        report(_outcome(any_newer, reference.repository))
        return images

    async def _first(self, reference: Reference, work: Callable[[str], Awaitable[T]]) -> T:
        """Do it where the first source of the domain can; its own registry's errors count."""
        *mirrors, origin = self._client.sources(reference.domain)
        for mirror in mirrors:
            try:
                return await work(mirror)
            except SystemFailure:
                raise
            except DavitError as error:
                logger.info("mirror %s: %s; trying the next one", mirror, error.message)
        try:
            return await work(origin)
        except (Forbidden, NotFound, Unauthorized) as error:
            raise refusal(reference, error) from None

    async def _pull(
        self,
        where: str,
        reference: Reference,
        wanted: str,
        credentials: Credentials,
        report: Report,
    ) -> tuple[Image, bool]:
        """Return the image, and whether it, or its name, is new here."""
        stack = AsyncExitStack()
        opening = self._client.repository(where, reference.path, credentials)
        async with Source(await stack.enter_async_context(opening), stack) as source:
            target = platform.parse(wanted)
            digest, manifest, document = await resolve(source.repository, reference, target)
            report(
                Progress(
                    status=f"Pulling from {reference.path}",
                    id=reference.digest or reference.tag or DEFAULT_TAG,
                )
            )
            names = [f"{reference.repository}@{digest}"]
            if not reference.digest:
                names.append(reference.tagged)
            known = self._content.rows.find(manifest.config.digest)
            newer = known is None or not _has(known, names[-1])
            image = await self._take(source, manifest, document, names, report)
        report(Progress(status=f"Digest: {digest}"))
        _warn(image, reference, target if wanted else None, report)
        return image, newer

    async def _take(
        self,
        source: Source,
        manifest: Manifest,
        document: bytes,
        names: list[str],
        report: Report,
    ) -> Image:
        known = self._content.rows.find(manifest.config.digest)
        if known is not None:
            with self._content.hold_images([known]):
                return await self._name(known, document, names)
        body = await fetch_config(source.repository, manifest.config)
        config = read_config(body, manifest.config.digest)
        with self._content.hold() as held:
            held.update(config.rootfs.diff_ids)
            await self._layers(source, manifest, config, report)
            new = NewImage(body=body, config=config, tags=tuple(names), manifest=document)
            return (await self._content.commit([new], []))[0]

    async def _name(self, known: Image, document: bytes, names: list[str]) -> Image:
        """Give an image that is here the names that it lacks."""
        body = await asyncio.to_thread(self._content.blobs.read, known.id)
        lacking = tuple(name for name in names if not _has(known, name))
        new = NewImage(body=body, config=known.config, tags=lacking, manifest=document)
        return (await self._content.commit([new], []))[0]

    async def _layers(
        self, source: Source, manifest: Manifest, config: ImageConfig, report: Report
    ) -> None:
        diff_ids = config.rootfs.diff_ids
        if config.os not in ("", "linux"):
            raise NotFound(
                f"image operating system {config.os!r} cannot be used on this platform: davit "
                "runs linux images only"
            )
        if len(diff_ids) != len(manifest.layers):
            raise InvalidParameter(
                "layers from manifest don't match image configuration: "
                f"{len(manifest.layers)} of {len(diff_ids)}"
            )
        lacking: list[tuple[str, Descriptor]] = []
        for diff_id, layer in dict(zip(diff_ids, manifest.layers, strict=True)).items():
            present = self._content.layers.find(diff_id) is not None
            status = "Already exists" if present else "Pulling fs layer"
            report(Progress(status=status, detail=Amount(), id=ids.short(layer.digest)))
            if not present:
                lacking.append((diff_id, layer))
        await together(
            self._transfers.fetch(source, layer, diff_id, report) for diff_id, layer in lacking
        )


async def resolve(
    repository: Repository, reference: Reference, wanted: Platform
) -> tuple[str, Manifest, bytes]:
    """Return the digest by which an image is known, the manifest for a platform, and its bytes."""
    found = await repository.manifest(reference.digest or reference.tag or DEFAULT_TAG)
    document = found
    manifest = manifests.read(found.body, reference.digest or found.digest, str(reference))
    for _ in range(_DEEPEST):
        if not isinstance(manifest, Index):
            return digest_of(found.body), manifest, document.body
        chosen = manifests.choose(manifest, wanted, str(reference))
        document = await repository.manifest(chosen.digest)
        manifest = manifests.read(document.body, chosen.digest, chosen.digest)
    raise InvalidParameter(f"{reference}: its indexes are nested too deeply")


def refusal(reference: Reference, error: DavitError) -> DavitError:
    """Word a refusal as Docker does; clients look for 404 and these words."""
    words = error.message
    if isinstance(error, Unauthorized):
        # It is not davit that wants to know who they are: at 401 clients ask for a password.
        host = "" if reference.domain == DEFAULT_DOMAIN else f" {reference.domain}"
        return Forbidden(f"{words}: log in with 'docker login{host}'")
    if words.startswith("denied"):
        return NotFound(
            f"pull access denied for {reference.repository}, repository does not exist or may "
            f"require 'docker login': {words}"
        )
    if words.startswith("manifest unknown"):
        return NotFound(f"manifest for {reference} not found: {words}")
    if words.startswith("name unknown"):
        return NotFound(f"repository {reference.repository} not found: {words}")
    return NotFound(words)


async def fetch_config(repository: Repository, descriptor: Descriptor) -> bytes:
    """Return an image configuration, verified. Raises InvalidParameter."""
    if descriptor.size > LARGEST_DOCUMENT:
        raise InvalidParameter(
            f"the image configuration {descriptor.digest} is too large: {descriptor.size} bytes"
        )
    body = await repository.document(descriptor.digest, descriptor.size)
    check_digest(f"the image configuration {descriptor.digest}", descriptor.digest, digest_of(body))
    return body


def _outcome(newer: bool, name: str) -> Progress:
    what = "Downloaded newer image" if newer else "Image is up to date"
    return Progress(status=f"Status: {what} for {name}")


def _has(image: Image, name: str) -> bool:
    return name in image.tags or name in image.digests


def _warn(image: Image, reference: Reference, wanted: Platform | None, report: Report) -> None:
    own = Platform(
        os=image.config.os or "linux",
        architecture=image.config.architecture,
        variant=image.config.variant,
    )
    if wanted is not None and not wanted.accepts(own):
        report(
            Progress(
                status=f"WARNING: image with reference {reference} was found but its platform "
                f"({own}) does not match the specified platform ({wanted})"
            )
        )
