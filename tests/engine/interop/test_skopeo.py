"""What davit pushes and saves, in the hands of skopeo and umoci."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.engine.imagekit import digest
from tests.engine.interop.images import RICH
from tests.engine.interop.peers import Docker, files_of, run, skopeo, walk
from tests.engine.registrykit import Shelf


@pytest.fixture(scope="module")
def pushed(davit: Docker, address: str) -> tuple[str, str]:
    """An image that davit pushed, and the digest that it told."""
    name = f"{address}/skopeo/rich:1"
    return name, davit.push("rich:0", name)


def documents(layout: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The manifest and the configuration of an OCI layout's one image."""

    def blob(descriptor: dict[str, Any]) -> dict[str, Any]:
        body = (layout / "blobs/sha256" / descriptor["digest"].removeprefix("sha256:")).read_bytes()
        assert (digest(body), len(body)) == (descriptor["digest"], descriptor["size"])
        return dict(json.loads(body))

    (descriptor,) = json.loads((layout / "index.json").read_text())["manifests"]
    manifest = blob(descriptor)
    return manifest, blob(manifest["config"])


def test_inspect(pushed: tuple[str, str]) -> None:
    name, told = pushed
    shown = json.loads(skopeo("inspect", f"docker://{name}"))
    assert shown["Digest"] == told
    assert shown["RepoTags"] == ["1"]
    assert shown["Labels"] == RICH.config["Labels"]
    assert shown["Env"] == RICH.config["Env"]
    assert digest(skopeo("inspect", "--raw", f"docker://{name}")) == told
    assert digest(skopeo("inspect", "--config", "--raw", f"docker://{name}")) == RICH.id
    by_digest = f"docker://{name.rpartition(':')[0]}@{told}"
    assert json.loads(skopeo("inspect", by_digest))["Layers"] == shown["Layers"]


def test_copies_keep_every_digest(pushed: tuple[str, str], address: str, tmp_path: Path) -> None:
    name, told = pushed
    skopeo("copy", "--preserve-digests", f"docker://{name}", f"dir:{tmp_path}/plain")
    body = (tmp_path / "plain/manifest.json").read_bytes()
    assert (
        run("skopeo", "manifest-digest", f"{tmp_path}/plain/manifest.json").decode() == f"{told}\n"
    )
    skopeo("copy", f"dir:{tmp_path}/plain", f"docker://{address}/skopeo/again:1")
    assert Shelf(address, "skopeo/again").raw("1") == body
    # To an OCI layout skopeo writes a manifest of its own; the blobs are the same.
    skopeo("copy", f"docker://{name}", f"oci:{tmp_path}/layout:1")
    manifest, config = documents(tmp_path / "layout")
    layers = [layer["digest"] for layer in json.loads(body)["layers"]]
    assert [layer["digest"] for layer in manifest["layers"]] == layers
    assert config["rootfs"]["diff_ids"] == [digest(layer) for layer in RICH.layers]


def test_a_docker_archive_of_it_loads_again(
    pushed: tuple[str, str], davit: Docker, dockerd: Docker, tmp_path: Path
) -> None:
    target = f"docker-archive:{tmp_path}/a.tar:from/skopeo:1"
    skopeo("copy", f"docker://{pushed[0]}", target)
    archive = (tmp_path / "a.tar").read_bytes()
    for peer in (davit, dockerd):
        assert b"Loaded image: from/skopeo:1" in peer.load(archive)
        assert peer.id_of("from/skopeo:1") == RICH.id


def test_an_oci_archive_of_it_loads_again(
    pushed: tuple[str, str], davit: Docker, podman: Any, tmp_path: Path
) -> None:
    skopeo("copy", f"docker://{pushed[0]}", f"oci-archive:{tmp_path}/o.tar:from/skopeo:oci")
    davit.load((tmp_path / "o.tar").read_bytes())
    podman("load", "--input", f"{tmp_path}/o.tar")
    assert davit.id_of("from/skopeo:oci") == podman.id_of("from/skopeo:oci")


def test_saved_archives_are_layouts(davit: Docker, address: str, tmp_path: Path) -> None:
    saved = tmp_path / "saved.tar"
    saved.write_bytes(davit.save("rich:0"))
    for transport in (f"oci-archive:{saved}", f"docker-archive:{saved}"):
        shown = json.loads(skopeo("inspect", transport))
        assert shown["Labels"] == RICH.config["Labels"]
        assert shown["Layers"] == [digest(layer) for layer in RICH.layers]
        assert digest(skopeo("inspect", "--config", "--raw", transport)) == RICH.id
    skopeo("copy", f"oci-archive:{saved}", f"docker://{address}/skopeo/saved:1")
    davit.pull(f"{address}/skopeo/saved:1")
    assert davit.id_of(f"{address}/skopeo/saved:1") == RICH.id


@pytest.mark.parametrize("maker", ["davit", "skopeo"])
def test_umoci_unpacks_the_same_files(
    pushed: tuple[str, str], davit: Docker, tmp_path: Path, maker: str
) -> None:
    layout, tag = tmp_path / "layout", "0"
    if maker == "davit":
        with tarfile.open(fileobj=io.BytesIO(davit.save("rich:0"))) as tar:
            # Python warns from 3.12 on when none is chosen; Debian 12 has none to choose.
            tar.extraction_filter = getattr(tarfile, "data_filter", None)
            tar.extractall(layout)
    else:
        skopeo("copy", f"docker://{pushed[0]}", f"oci:{layout}:{tag}")
    assert run("umoci", "ls", "--layout", str(layout)).split() == [tag.encode()]
    stat = json.loads(run("umoci", "stat", "--json", "--image", f"{layout}:{tag}"))
    assert [step["created_by"] for step in stat["history"]] == ["layer 0", "layer 1", "layer 2"]
    run("umoci", "unpack", "--image", f"{layout}:{tag}", str(tmp_path / "bundle"))
    unpacked = walk(tmp_path / "bundle/rootfs")
    assert unpacked == files_of(davit, "rich:0")
    process = json.loads((tmp_path / "bundle/config.json").read_text())["process"]
    assert process["args"] == [*RICH.config["Entrypoint"], *RICH.config["Cmd"]]
    assert (process["user"]["uid"], process["cwd"]) == (1000, "/root")
