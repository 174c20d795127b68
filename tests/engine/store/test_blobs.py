from pathlib import Path

import pytest

from davit.errors import InvalidParameter, SystemFailure
from davit.store.blobs import BlobStore, check_digest, digest_of


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    store = BlobStore(tmp_path / "blobs", tmp_path / "ingest")
    store.open()
    return store


def test_a_blob_lies_under_its_digest(blobs: BlobStore, tmp_path: Path) -> None:
    with blobs.writer() as writer:
        writer.write(b"hel")
        writer.write(b"lo")
        assert writer.size == 5
        digest = writer.commit()
    assert digest == digest_of(b"hello") == f"sha256:{blobs.path(digest).name}"
    assert blobs.read(digest) == b"hello"
    assert list((tmp_path / "ingest").iterdir()) == []


def test_what_is_not_committed_is_gone(blobs: BlobStore, tmp_path: Path) -> None:
    with blobs.writer() as writer:
        writer.write(b"half")
    assert not blobs.has(digest_of(b"half"))
    assert list((tmp_path / "ingest").iterdir()) == []


def test_a_damaged_blob_is_not_read(blobs: BlobStore) -> None:
    digest = blobs.put(b"hello")
    blobs.path(digest).write_bytes(b"jello")
    with pytest.raises(SystemFailure, match=rf"{digest} is damaged on disk \(now sha256:"):
        blobs.read(digest)
    blobs.remove(digest)
    with pytest.raises(SystemFailure, match="is missing"):
        blobs.read(digest)


def test_sweep(blobs: BlobStore) -> None:
    kept, gone = blobs.put(b"kept"), blobs.put(b"gone")
    assert blobs.sweep({kept}) == [gone]
    assert blobs.has(kept)
    assert not blobs.has(gone)


def test_check_digest_tells_both() -> None:
    check_digest("x", "sha256:a", "sha256:a")
    with pytest.raises(InvalidParameter, match="expected digest sha256:a, got sha256:b"):
        check_digest("x", "sha256:a", "sha256:b")
