"""The tags of a repository, page by page.

Source: OCI distribution specification v1.1, "Listing Tags"; RFC 8288 (Link).
"""

from __future__ import annotations

import msgspec

from davit.drivers.registry.repository import LARGEST_DOCUMENT, Repository, again, limited
from davit.errors import Unavailable

_PAGES = 10_000


class _Page(msgspec.Struct):
    tags: list[str] | None = None


async def tags(repository: Repository) -> list[str]:
    """Return all tags, each once, as the registry orders them.

    Raises NotFound, Unauthorized, Forbidden, Unavailable.
    """
    found: dict[str, None] = {}
    page = "tags/list"

    async def fetch() -> tuple[list[str], str]:
        return await _page(repository, page)

    for _ in range(_PAGES):
        names, page = await again(fetch)
        found.update(dict.fromkeys(names))
        if not page:
            return list(found)
    raise Unavailable(f"the list of {repository.path}'s tags does not come to an end")


async def _page(repository: Repository, page: str) -> tuple[list[str], str]:
    """Return its tags, and the address of the next one, empty for none."""
    async with repository.request("GET", page) as answer:
        body = await limited(answer, LARGEST_DOCUMENT, f"list of {repository.path}'s tags")
        try:
            names = msgspec.json.decode(body, type=_Page).tags or []
        except msgspec.MsgspecError as error:
            raise Unavailable(f"{answer.url} answers what is no list of tags: {error}") from None
        following = answer.links.get("next")
        return names, str(following["url"]) if following else ""
