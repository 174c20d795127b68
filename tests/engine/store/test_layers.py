import shutil
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
    store.remove(names[0])
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


def test_sweep(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    add(store, ONE)
    add(store, TWO)
    assert store.sweep({TWO}) == [ONE]
    with pytest.raises(SystemFailure, match=f"layer {ONE} is missing"):
        store.path(ONE)
    assert len(list((tmp_path / "layers").iterdir())) == 2
