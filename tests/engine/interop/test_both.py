"""What davit and dockerd tell and do, step by step, with the same images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine import imagekit
from tests.engine.conftest import Davitd
from tests.engine.imagekit import Built, busybox, docker_archive, files
from tests.engine.interop.images import rich
from tests.engine.interop.peers import Docker, assert_same_files, members, skopeo
from tests.engine.registrykit import Shelf

_DOCKERFILE = """\
FROM rich:0 AS first
ARG VERSION=3
LABEL version=$VERSION
USER 0
RUN rm -r /d /opaque && mkdir /opaque && echo 1 >/opaque/new && chmod 0700 /tmp
RUN true
RUN true
WORKDIR /made/here
COPY --chown=7:8 file ./
ONBUILD RUN false
HEALTHCHECK --interval=3s --retries=2 CMD true
CMD ["sh"]

FROM scratch
COPY --from=first /opaque /
"""


def build(peer: Docker, tag: str, target: str) -> None:
    body = files({"Dockerfile": _DOCKERFILE, "file": "contents"})
    answer = peer.client.request(
        "POST", "/build", body, query={"t": tag, "target": target, "networkmode": "none"}
    )
    assert answer.status == 200, answer.body
    assert b'"error"' not in answer.body, answer.body


def told(peer: Docker, name: str) -> dict[str, Any]:
    shown = peer.inspect(name)
    # Moby leaves the last ones out from API 1.44 and 1.45 on.
    for field in ("GraphDriver", "Metadata", "ContainerConfig", "Container", "VirtualSize"):
        shown.pop(field, None)
    history = peer.client.get(f"/images/{name}/history").json
    for step in history:
        # dockerd finds the images that it made an image from.
        del step["Id"], step["Tags"]
    flat = {
        f"step {number} {key}": value
        for number, step in enumerate(history)
        for key, value in step.items()
    }
    flat |= {f"config {key}": value for key, value in shown.pop("Config").items()}
    return {**shown, **flat}


@pytest.mark.parametrize("target", ["first", ""])
def test_what_dockerd_built(
    davit: Docker, dockerd: Docker, engine: Davitd, address: str, target: str
) -> None:
    name = f"{address}/both/built{target}:1"
    build(dockerd, name, target)
    dockerd.push(name, name)
    davit.pull(name)
    shown, wanted = told(davit, name), told(dockerd, name)
    shown["Parent"] = wanted["Parent"]
    assert shown == wanted
    assert_same_files(davit, dockerd, name)
    if target:
        ran = engine.docker("run", "--rm", "--network=none", "--entrypoint=", name, "cat", "file")
        assert ran.stdout == b"contents"


@pytest.mark.parametrize("target", ["first", ""])
def test_what_davit_built(davit: Docker, dockerd: Docker, address: str, target: str) -> None:
    name = f"{address}/both/own{target}:1"
    build(davit, name, target)
    davit.push(name, name)
    dockerd.pull(name)
    shown, wanted = told(davit, name), told(dockerd, name)
    shown["Parent"] = wanted["Parent"]
    assert shown == wanted
    assert_same_files(davit, dockerd, name)


def test_one_layer_twice(davit: Docker, dockerd: Docker, engine: Davitd, address: str) -> None:
    """RUN true makes the same empty layer each time."""
    empty = imagekit.layer([])
    image = busybox("twice:1", extra=[empty, files({"a": "1"}), empty, files({"a": "1"})])
    for peer in (davit, dockerd):
        assert b"Loaded image: twice:1" in peer.load(docker_archive(image))
    assert told(davit, "twice:1") == told(dockerd, "twice:1")
    assert_same_files(davit, dockerd, "twice:1")
    name = f"{address}/both/twice:1"
    davit.push("twice:1", name)
    dockerd.pull(name)
    assert dockerd.digests(name) == davit.digests(name)
    assert engine.docker("run", "--rm", "--network=none", name, "cat", "/a").stdout == b"1"


def test_an_image_without_layers(davit: Docker, dockerd: Docker, address: str) -> None:
    archive = docker_archive(Built(layers=[], tags=["nothing:1"], config={"Labels": {"a": "b"}}))
    for peer in (davit, dockerd):
        peer.load(archive)
    assert told(davit, "nothing:1") == told(dockerd, "nothing:1")
    assert davit.save("nothing:1") == davit.save("nothing:1")
    name = f"{address}/both/nothing:1"
    davit.push("nothing:1", name)
    dockerd.pull(name)
    assert dockerd.digests(name) == davit.digests(name)


def test_load_says_the_same(davit: Docker, dockerd: Docker) -> None:
    one, two = rich(3000), rich(3001)
    archive = docker_archive(one, Built(two.layers, ["x/y:1", "x/y:2"], two.config))
    unnamed = docker_archive(Built(two.layers, [], {"Labels": {"a": "b"}}))
    for body in (archive, unnamed):
        streams = []
        for peer in (davit, dockerd):
            answer = peer.client.post("/images/load", body, quiet=True)
            lines = [json.loads(line) for line in answer.body.splitlines()]
            streams.append((answer.headers["Content-Type"], lines))
        assert streams[0] == streams[1]


def test_a_tag_that_moved(davit: Docker, dockerd: Docker, address: str) -> None:
    """The image that it named before keeps its digest, on both."""
    name = f"{address}/both/moved:1"
    images = [rich(3100), rich(3101)]
    for image in images:
        davit.load(docker_archive(image))
        davit.push(image.tags[0], name)
        dockerd.pull(name)
    for image in images:
        assert davit.client.delete(f"/images/{image.tags[0]}").status == 200

    def listed(peer: Docker) -> dict[str, Any]:
        entries = peer.client.get("/images/json", filters={"reference": [name[:-2]]}).json
        for entry in entries:
            # null before 1.43, where davit says [].
            entry["RepoTags"] = entry["RepoTags"] or []
        return {entry["Id"]: entry for entry in entries}

    assert listed(davit) == listed(dockerd)
    assert listed(davit)[images[0].id]["RepoTags"] == []


@pytest.mark.parametrize("form", ["image", "oci", "index"])
def test_what_a_registry_has(
    davit: Docker, dockerd: Docker, address: str, tmp_path: Path, form: str
) -> None:
    name = f"{address}/both/{form}:1"
    davit.push("rich:0", name)
    if form == "oci":
        skopeo("copy", f"docker://{name}", f"oci:{tmp_path}/layout:1")
        skopeo("copy", f"oci:{tmp_path}/layout:1", f"docker://{name}")
    elif form == "index":
        Shelf(address, f"both/{form}").index("1", rich(0), rich(3200, "s390x"))
    shown = [peer.client.get(f"/distribution/{name}/json").json for peer in (davit, dockerd)]
    if form == "oci":
        # dockerd 20.10 does not look into these.
        assert shown[1]["Platforms"] is None
        shown[1]["Platforms"] = [dict(rich(0).platform)]
    assert shown[0] == shown[1]


_RARE = {
    "offset": {"created": "2024-01-01T00:00:00.123456789+02:00"},
    "before-all-times": {
        "created": "0001-01-01T00:00:00Z",
        "history": [{"created": "0001-01-01T00:00:00Z"}],
    },
    "unknown-fields": {
        "created": imagekit.CREATED,
        "config": {"Cmd": ["a"], "Tomorrow": 1},
        "tomorrow": {"a": []},
    },
    "everything": {
        "created": imagekit.CREATED,
        "author": "me",
        "comment": "said",
        "docker_version": "20",
        "container": "abc",
        "variant": "v2",
        "config": {
            "Hostname": "host",
            "Domainname": "domain",
            "User": "user",
            "AttachStdin": True,
            "Tty": True,
            "OpenStdin": True,
            "StdinOnce": True,
            "Env": ["A"],
            "Cmd": [],
            "ArgsEscaped": True,
            "Image": "sha256:abc",
            "Entrypoint": [],
            "NetworkDisabled": True,
            "MacAddress": "02:42:ac:11:00:02",
            "StopSignal": "9",
            "StopTimeout": 3,
            "ExposedPorts": {"80": {}},
            "Healthcheck": {"Test": ["NONE"]},
        },
    },
}


@pytest.mark.parametrize("rare", _RARE)
def test_rare_configurations(davit: Docker, dockerd: Docker, rare: str) -> None:
    data = files({"a": rare})
    diff_ids = {"type": "layers", "diff_ids": [imagekit.digest(data)]}
    history = [{"created": imagekit.CREATED, "created_by": "hand"}]
    whole = {"os": "linux", "architecture": "amd64", "config": {}, "history": history}
    config = json.dumps({**whole, "rootfs": diff_ids, **_RARE[rare]}).encode()
    name = imagekit.digest(config).removeprefix("sha256:") + ".json"
    entry = {"Config": name, "RepoTags": [f"rare:{rare}"], "Layers": ["layer.tar"]}
    archive = {"layer.tar": data, name: config, "manifest.json": json.dumps([entry]).encode()}
    for peer in (davit, dockerd):
        peer.load(files(archive))
        assert peer.id_of(f"rare:{rare}") == imagekit.digest(config)
    assert told(davit, f"rare:{rare}") == told(dockerd, f"rare:{rare}")
    # What is not understood goes on as it came.
    assert config in members(davit.save(f"rare:{rare}")).values()
