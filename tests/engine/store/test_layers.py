import json
import os
import shutil
import time
from pathlib import Path

import pytest

from davit.errors import SystemFailure
from davit.model.image import Layer
from davit.store.layers import LayerStore

ONE, TWO = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def open_store(root: Path) -> LayerStore:
    store = LayerStore(root / "layers", root / "ingest")
    store.open()
    return store


def add(store: LayerStore, diff_id: str, text: str = "") -> Layer:
    staged = store.stage()
    (staged / "file").write_text(text or diff_id)
    layer = Layer(diff_id=diff_id, blob=diff_id, size=1, tar_size=1, blob_size=1)
    store.commit(staged, layer)
    return layer


def test_a_layer_is_found_again(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    layer = add(store, ONE)
    assert store.path(ONE) == tmp_path / "layers" / ("a" * 12)
    again = open_store(tmp_path)
    assert again.all() == [layer]
    assert again.with_blob(ONE) == layer
    assert (again.path(ONE) / "file").read_text() == ONE


def test_layers_with_the_same_beginning_have_names_of_their_own(tmp_path: Path) -> None:
    names = ["sha256:" + "c" * length + "d" * (64 - length) for length in (12, 20, 64)]
    store = open_store(tmp_path)
    for name in names:
        add(store, name)
    assert len({store.path(name) for name in names}) == 3
    store.delete(store.forget(names[:1]))
    store = open_store(tmp_path)
    for name in names[1:]:
        assert (store.path(name) / "file").read_text() == name
    add(store, names[0])
    store = open_store(tmp_path)
    assert [(store.path(name) / "file").read_text() for name in names] == names


def test_the_first_of_two_equal_layers_stays(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    add(store, ONE, "first")
    add(store, ONE, "second")
    assert (store.path(ONE) / "file").read_text() == "first"
    assert list((tmp_path / "ingest").iterdir()) == []


def test_a_record_that_was_not_finished_goes(tmp_path: Path) -> None:
    layer = add(open_store(tmp_path), ONE)
    (tmp_path / "layers" / ".bbbb.json.new").write_text("{")
    assert open_store(tmp_path).all() == [layer]
    assert list((tmp_path / "ingest").iterdir()) == []
    assert len(list((tmp_path / "layers").iterdir())) == 2


@pytest.mark.parametrize("lost", ["tree", "record", "record's content"])
def test_half_a_layer_is_removed_at_start(tmp_path: Path, lost: str) -> None:
    store = open_store(tmp_path)
    add(store, ONE)
    add(store, TWO)
    record = tmp_path / "layers" / ("a" * 12 + ".json")
    if lost == "tree":
        shutil.rmtree(store.path(ONE))
    elif lost == "record":
        record.unlink()
    else:
        record.write_bytes(b"{")
    store.discard(store.stage())
    store = open_store(tmp_path)
    assert [layer.diff_id for layer in store.all()] == [TWO]
    assert sorted(p.name for p in (tmp_path / "layers").iterdir()) == ["b" * 12, "b" * 12 + ".json"]
    assert list((tmp_path / "ingest").iterdir()) == []


def test_a_forgotten_layer_is_not_found_and_then_deleted(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    add(store, ONE)
    add(store, TWO)
    names = store.forget([ONE, "sha256:" + "c" * 64])
    assert [layer.diff_id for layer in store.all()] == [TWO]
    store.delete(names)
    with pytest.raises(SystemFailure, match=f"layer {ONE} is missing"):
        store.path(ONE)
    assert len(list((tmp_path / "layers").iterdir())) == 2


def _record(root: Path, diff_id: str) -> Path:
    return root / "layers" / f"{diff_id[7:19]}.json"


def test_a_layers_age_goes_on_over_restarts(tmp_path: Path) -> None:
    add(open_store(tmp_path), ONE)
    before = time.time() - 1000
    os.utime(_record(tmp_path, ONE), (before, before))
    store = open_store(tmp_path)
    assert 1000 <= store.age(ONE) < 1100
    store.touch(ONE)
    assert store.age(ONE) < 100


def test_a_clock_that_was_set_back_does_not_keep_a_layer_for_ever(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    add(store, ONE)
    later = time.time() + 10**6
    os.utime(_record(tmp_path, ONE), (later, later))
    assert store.age(ONE) == 0
    assert _record(tmp_path, ONE).stat().st_mtime < later - 1000


def test_what_another_run_of_the_kernel_wrote_is_not_trusted(tmp_path: Path) -> None:
    """It may be half on disk, unless an image names it: that comes after a sync."""
    layer = add(open_store(tmp_path), ONE)
    record = _record(tmp_path, ONE)
    written = json.loads(record.read_bytes())
    record.write_text(json.dumps({**written, "boot": "another"}))
    store = open_store(tmp_path)
    assert store.all() == [layer]
    assert store.age(ONE) == float("inf")
