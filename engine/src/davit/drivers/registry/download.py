"""A blob on its way: begun again where it was cut off, and never longer than it may be."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus

import aiohttp

from davit.drivers.registry.repository import Repository
from davit.drivers.registry.retry import Backoff, Temporary, Waiting
from davit.errors import InvalidParameter, Unavailable


class Download:
    """waiting: told of the pauses before it is tried again.

    resumed: whether it was cut off. refused: why it was given up for its contents.
    """

    def __init__(self, repository: Repository, digest: str, size: int, waiting: Waiting) -> None:
        self._repository = repository
        self._digest = digest
        self._size = size
        self._waiting = waiting
        self.resumed = False
        self.refused: InvalidParameter | None = None

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield all bytes in their order. They are not verified, only counted.

        Raises Unavailable after the last try, InvalidParameter when there are too many, and what
        the registry's refusal means.
        """
        backoff = Backoff(self._waiting)
        offset = 0
        while True:
            try:
                async with aclosing(self._from(offset)) as pieces:
                    async for chunk in pieces:
                        offset += len(chunk)
                        if offset > self._size:
                            self.refused = InvalidParameter(
                                f"blob {self._digest} is larger than its manifest says "
                                f"({self._size} bytes): nothing of it was kept"
                            )
                            raise self.refused
                        backoff.gain(len(chunk))
                        yield chunk
                if offset == self._size:
                    return
                raise Temporary(f"blob {self._digest} ended after {offset} of {self._size} bytes")
            except Unavailable as error:
                await backoff.wait(error)
                self.resumed = self.resumed or offset > 0

    async def _from(self, offset: int) -> AsyncGenerator[bytes, None]:
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        async with self._repository.request(
            "GET", f"blobs/{self._digest}", headers=headers
        ) as answer:
            skip = offset - _start(answer)
            if skip < 0:
                raise Unavailable(f"blob {self._digest}: the registry leaves bytes out")
            async for chunk in answer.content.iter_any():
                # Who does not know ranges sends all of it again.
                if skip < len(chunk):
                    yield chunk[skip:]
                skip = max(0, skip - len(chunk))


def _start(answer: aiohttp.ClientResponse) -> int:
    """Where the answer begins: ``Content-Range: bytes 100-199/200`` (RFC 9110, section 14.4)."""
    if answer.status != HTTPStatus.PARTIAL_CONTENT:
        return 0
    first = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(first) if first.isdecimal() else 0
