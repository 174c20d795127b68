"""Images for other machines: asked for by ``platform``, or found out by a warning."""

from __future__ import annotations

import pytest

from davit.model import platform
from tests.engine.client import Client
from tests.engine.conftest import Davitd
from tests.engine.imagekit import Built, docker_archive, files, host_architecture

OTHER = "s390x"


@pytest.fixture(scope="module")
def client(shared_davitd: Davitd) -> Client:
    image = Built(
        layers=[files({"file": "x"})],
        tags=["other:latest"],
        platform={"os": "linux", "architecture": OTHER},
    )
    answer = shared_davitd.client.post("/images/load", docker_archive(image))
    assert b'"error"' not in answer.body, answer.body
    return shared_davitd.client


def test_an_image_of_another_machine_is_warned_of(client: Client) -> None:
    made = client.post("/containers/create", {"Image": "other", "Cmd": ["x"]})
    assert made.status == 201
    assert made.json["Warnings"] == [
        f"The requested image's platform (linux/{OTHER}) does not match the detected host platform "
        f"({platform.host()}) and no specific platform was requested"
    ]
    client.delete(f"/containers/{made.json['Id']}")


@pytest.mark.parametrize(
    ("image", "asked"), [("other", f"linux/{OTHER}"), ("busybox", f"linux/{host_architecture()}")]
)
def test_what_was_asked_for_is_not_warned_of(client: Client, image: str, asked: str) -> None:
    made = client.post("/containers/create", {"Image": image, "Cmd": ["x"]}, platform=asked)
    assert made.status == 201
    assert made.json["Warnings"] == []
    client.delete(f"/containers/{made.json['Id']}")


def test_another_platform_is_not_there(client: Client) -> None:
    made = client.post("/containers/create", {"Image": "busybox"}, platform=f"linux/{OTHER}")
    assert made.status == 404
    assert made.message == (
        f"image with reference busybox was found but its platform (linux/{host_architecture()}) "
        f"does not match the specified platform (linux/{OTHER})"
    )
    made = client.post("/containers/create", {"Image": "busybox"}, platform="linux/")
    assert made.status == 400
    assert made.message.startswith("invalid platform 'linux/'")
