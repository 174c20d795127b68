"""Images from archives: on the host, and on the controller, from where only what lacks is sent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.davit.fleet.plugins.module_utils import _archive, _image_archive
from ansible_collections.davit.fleet.plugins.plugin_utils import _parcel
from tests.engine import imagekit
from tests.integration import conftest
from tests.integration.conftest import Fleet


@pytest.fixture
def archive(fleet: Fleet, tmp_path: Path) -> Iterator[Path]:
    """An image that the engine does not have yet, as ``docker save`` writes it."""
    path = tmp_path / "app.tar"
    busybox = Path("/bin/busybox").read_bytes()
    content = _image_archive.Content(files={"/bin/busybox": (busybox, 0o755)})
    path.write_bytes(_image_archive.build("app:1", content, {"Cmd": ["/bin/busybox"]}, "amd64"))
    yield path
    fleet.client.delete("/images/app:1", force=True)


@dataclass(frozen=True)
class Played:
    """What a task of ``image`` did: whether it changed anything, and what it sent."""

    changed: bool
    sent: list[dict[str, Any]]
    shown: str


def play(fleet: Fleet, path: Path, task: dict[str, Any], *flags: str) -> Played:
    """Run a task of ``image`` in a playbook."""
    found = conftest.play(fleet, path, "image", task, *flags)
    return Played(found["changed"], found.get("images_sent", []), found["shown"])


def test_archive_of_the_controller_is_sent_once(fleet: Fleet, archive: Path) -> None:
    task = {"name": "app:1", "source": "controller", "archive": str(archive)}
    book = archive.with_name("play.json")
    foretold = play(fleet, book, task, "--check")
    assert (foretold.changed, foretold.sent) == (True, [])
    assert fleet.client.get("/images/app:1/json").status == 404
    done = play(fleet, book, task)
    (sent,) = done.sent
    assert (done.changed, sent["layers"]) == (True, 1)
    assert "sending app:1 to localhost: 1 of 1 layers" in done.shown
    assert fleet.client.get("/images/app:1/json").status == 200
    assert not list(book.with_suffix(".tmp").rglob("*.*"))
    again = play(fleet, book, task)
    assert (again.changed, again.sent) == (False, [])
    # Untagged by hand: the name comes back, and the image is there still.
    fleet.client.post("/images/app:1/tag", repo="app", tag="2")
    fleet.client.delete("/images/app:1")
    tagged = play(fleet, book, task)
    assert (tagged.changed, tagged.sent) == (True, [])
    assert fleet.client.get("/images/app:1/json").status == 200
    fleet.client.delete("/images/app:2")


def test_only_layers_that_the_host_lacks_are_sent(fleet: Fleet, tmp_path: Path) -> None:
    base = imagekit.files({"big": os.urandom(2_000_000)})
    top = imagekit.files({"small": "1"})
    book, archive = tmp_path / "play.json", tmp_path / "app.tar"
    images = [
        imagekit.Built(layers=[base], tags=["app:1"]),
        imagekit.Built(layers=[base, top], tags=["app:2"]),
        # The same layer on another base is another one to Moby.
        imagekit.Built(layers=[top, base], tags=["app:3"]),
    ]
    sizes = []
    for image in images:
        archive.write_bytes(imagekit.docker_archive(image))
        task = {"name": image.tags[0], "source": "controller", "archive": str(archive)}
        (sent,) = play(fleet, book, task).sent
        sizes.append((sent["layers"], sent["bytes"] > len(base)))
        shown = fleet.client.get(f"/images/{image.tags[0]}/json").json
        assert shown["RootFS"]["Layers"] == [imagekit.digest(layer) for layer in image.layers]
    assert sizes == [(1, True), (1, False), (2, True)]
    for image in images:
        fleet.client.delete(f"/images/{image.tags[0]}")


def test_sending_goes_on_where_it_was_cut_off(fleet: Fleet, tmp_path: Path) -> None:
    image = imagekit.Built(
        layers=[imagekit.files({"big": os.urandom(_parcel.PART + 1000)})], tags=["app:1"]
    )
    book, archive = tmp_path / "play.json", tmp_path / "app.tar"
    archive.write_bytes(imagekit.docker_archive(image))
    identity = _archive.identify(str(archive), "app:1")
    parcel = _parcel.Parcel(str(archive), identity, frozenset({identity.layers[0].diff_id}))
    first, last = (b"".join(part) for part in _parcel.parts(parcel.read()))
    there = book.with_suffix(".tmp") / "davit-parts"
    there.mkdir(parents=True)
    (there / f"{parcel.key}.00000.{len(first)}").write_bytes(first)
    (there / f"{parcel.key}.00001.{len(last)}").write_bytes(last[:100])
    task = {"name": "app:1", "source": "controller", "archive": str(archive)}
    assert play(fleet, book, task).sent == [{"name": "app:1", "layers": 1, "bytes": len(last)}]
    assert fleet.client.get("/images/app:1/json").json["Id"] == image.id
    fleet.client.delete("/images/app:1")


def test_archive_of_the_host(fleet: Fleet, archive: Path) -> None:
    task = {"name": "app:1", "source": "host", "archive": str(archive)}
    assert [item["action"] for item in fleet.apply("image", **task)["actions"]] == ["load"]
    fleet.apply("image", name="app:1", state="absent")


def test_archive_under_another_name(fleet: Fleet, archive: Path) -> None:
    fleet.apply("image", name="other:3", source="host", archive=str(archive))
    fleet.apply("image", name="other:3", state="absent")


def test_truncated_archive_is_refused(fleet: Fleet, archive: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:2000])
    failed = fleet.run("image", name="app:1", source="host", archive=str(archive), fails=True)
    assert str(archive) in failed["msg"]


def test_image_that_is_nowhere(fleet: Fleet) -> None:
    failed = fleet.run("image", name="app:9", source="local", fails=True)
    assert "app:9" in failed["msg"]
