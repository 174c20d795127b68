"""Content by digest: ``blobs/sha256/<hex>``, written once and never changed."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Container
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from davit.errors import InvalidParameter, SystemFailure
from davit.sys import files

_SCHEME = "sha256:"


def digest_of(data: bytes) -> str:
    return _SCHEME + hashlib.sha256(data).hexdigest()


class Digester:
    """Hashes and counts what is written to it."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def digest(self) -> str:
        """Digest of what was written so far."""
        return _SCHEME + self._hash.hexdigest()

    def write(self, data: bytes) -> None:
        self._hash.update(data)
        self.size += len(data)


class BlobWriter(Digester):
    """One blob being written, and hashed on the way. Left without ``commit`` it is deleted."""

    def __init__(self, store: BlobStore, path: Path) -> None:
        super().__init__()
        self._store = store
        self._path = path
        self._file = path.open("wb", buffering=0)

    def __enter__(self) -> BlobWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.discard()

    def write(self, data: bytes) -> None:
        super().write(data)
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]

    def close(self) -> None:
        """Give the descriptor back: all is written, and an archive may bring thousands of blobs."""
        self._file.close()

    def commit(self, *, durable: bool = True) -> str:
        """Put the blob under its digest and return that.

        durable: wait until it is on disk. Whoever does not must sync before anything names it.
        """
        self.close()
        if durable:
            with self._path.open("rb") as file:
                os.fsync(file.fileno())
        digest = self.digest
        target = self._store.path(digest)
        self._path.rename(target)
        if durable:
            files.sync_directory(target.parent)
        return digest

    def discard(self) -> None:
        """Delete what was written, unless it was committed. Idempotent."""
        self._file.close()
        with suppress(FileNotFoundError):
            self._path.unlink()


class BlobStore:
    """Blobs under one root. Every call blocks: use it from a thread."""

    def __init__(self, root: Path, ingest: Path) -> None:
        self.root = root
        self._directory = root / "sha256"
        self._ingest = ingest

    def open(self) -> None:
        """Make the directories; once, at start-up."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._ingest.mkdir(parents=True, exist_ok=True, mode=0o700)

    def path(self, digest: str) -> Path:
        return self._directory / digest.removeprefix(_SCHEME)

    def has(self, digest: str) -> bool:
        return self.path(digest).exists()

    def writer(self) -> BlobWriter:
        return BlobWriter(self, self._ingest / f"blob-{secrets.token_hex(8)}")

    def put(self, data: bytes) -> str:
        """Store a small blob and return its digest."""
        digest = digest_of(data)
        if not self.has(digest):
            with self.writer() as writer:
                writer.write(data)
                writer.commit()
        return digest

    def read(self, digest: str) -> bytes:
        """Return a small blob, verified. Raises SystemFailure when it is damaged or missing."""
        try:
            data = self.path(digest).read_bytes()
        except FileNotFoundError:
            raise SystemFailure(f"blob {digest} is missing from the store: load it again") from None
        found = digest_of(data)
        if found != digest:
            raise SystemFailure(f"blob {digest} is damaged on disk (now {found}): load it again")
        return data

    def remove(self, digest: str) -> None:
        """Idempotent."""
        with suppress(FileNotFoundError):
            self.path(digest).unlink()

    def sweep(self, wanted: Container[str]) -> list[str]:
        """Delete every blob that is not in ``wanted``; return their digests."""
        removed = []
        for entry in os.scandir(self._directory):
            digest = _SCHEME + entry.name
            if digest not in wanted:
                self.remove(digest)
                removed.append(digest)
        return removed


def check_digest(what: str, expected: str, found: str) -> None:
    """Raise InvalidParameter, telling both, unless the digests are the same."""
    if expected != found:
        raise InvalidParameter(
            f"{what} is damaged or was tampered with: expected digest {expected}, got {found}; "
            "nothing of it was kept"
        )
