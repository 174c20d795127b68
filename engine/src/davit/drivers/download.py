"""Files from the web, by HTTP."""

from __future__ import annotations

import asyncio
import email.utils
import hashlib
import posixpath
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from davit.errors import InvalidParameter

_CHUNK = 1 << 18
# Of no progress at all, not of the whole download.
_SILENCE = 60


@dataclass(frozen=True)
class Downloaded:
    """digest: ``sha256:…`` of the bytes; modified: seconds since the epoch, None when not told."""

    digest: str
    modified: float | None


def filename(url: str) -> str:
    """The last part of the URL's path, empty when it ends with a slash."""
    name = posixpath.basename(unquote(urlsplit(url).path))
    return "" if name in (".", "..") or "\0" in name else name


async def download(url: str, target: Path) -> Downloaded:
    """Write what is at a URL to a new file. Raises InvalidParameter with what is wrong."""
    # Loaded with the first download: the client side of this library is large.
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_SILENCE, sock_read=_SILENCE)
    digest = hashlib.sha256()
    file = await asyncio.to_thread(target.open, "xb")
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True, auto_decompress=False) as client,
            client.get(url) as answer,
        ):
            if answer.status != 200:
                raise InvalidParameter(f"failed to GET {url} with status {answer.status}")
            async for chunk in answer.content.iter_chunked(_CHUNK):
                digest.update(chunk)
                await asyncio.to_thread(file.write, chunk)
            modified = answer.headers.get("Last-Modified", "")
    except (aiohttp.ClientError, asyncio.TimeoutError, ValueError) as error:
        if isinstance(error, InvalidParameter):
            raise
        raise InvalidParameter(
            f"failed to GET {url}: {str(error) or 'no answer in time'}"
        ) from None
    finally:
        await asyncio.to_thread(file.close)
    parsed = email.utils.parsedate_tz(modified)
    seconds = email.utils.mktime_tz(parsed) if parsed else None
    return Downloaded(f"sha256:{digest.hexdigest()}", seconds)
