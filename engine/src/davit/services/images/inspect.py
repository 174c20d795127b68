"""What a registry has of an image, without pulling it."""

from __future__ import annotations

from contextlib import suppress

from davit.drivers.registry.client import RegistryClient
from davit.errors import Forbidden, NotFound, Unauthorized, Unavailable
from davit.model.image import Descriptor, Distribution
from davit.model.reference import DEFAULT_TAG, Reference
from davit.model.registry import Credentials
from davit.services.images import manifests
from davit.services.images.content import read_config
from davit.services.images.manifests import Index
from davit.services.images.pull import fetch_config, refusal
from davit.store.blobs import digest_of


async def inspect(
    client: RegistryClient, reference: Reference, credentials: Credentials
) -> Distribution:
    """Ask the registry, or a mirror that has it, as a pull does.

    Raises NotFound in Docker's words, Forbidden, Unavailable, InvalidParameter.
    """
    *mirrors, origin = client.sources(reference.domain)
    for mirror in mirrors:
        with suppress(NotFound, Forbidden, Unauthorized, Unavailable):
            return await _inspect(client, mirror, reference, credentials)
    try:
        return await _inspect(client, origin, reference, credentials)
    except (Forbidden, NotFound, Unauthorized) as error:
        raise refusal(reference, error) from None


async def _inspect(
    client: RegistryClient, where: str, reference: Reference, credentials: Credentials
) -> Distribution:
    async with client.repository(where, reference.path, credentials) as repository:
        found = await repository.manifest(reference.digest or reference.tag or DEFAULT_TAG)
        expected = reference.digest or found.digest
        document = manifests.read(found.body, expected, str(reference))
        if isinstance(document, Index):
            platforms = manifests.platforms(document)
        else:
            body = await fetch_config(repository, document.config)
            config = read_config(body, document.config.digest)
            platform = {"architecture": config.architecture, "os": config.os}
            variant = {"variant": config.variant} if config.variant else {}
            platforms = [{**platform, **variant}]
    descriptor = Descriptor(
        media_type=document.media_type or found.media_type,
        digest=digest_of(found.body),
        size=len(found.body),
    )
    return Distribution(descriptor=descriptor, platforms=platforms)
