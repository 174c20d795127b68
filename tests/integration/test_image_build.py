"""Images that the engine builds, of contexts on the host and on the controller."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import Fleet, play

DOCKERFILE = """
FROM busybox AS base
ARG WORD=none
COPY . /app
RUN echo "$WORD" >/word
FROM base AS last
CMD ["cat", "/word"]
"""


@pytest.fixture
def context(fleet: Fleet, tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "context"
    directory.mkdir()
    (directory / "Dockerfile").write_text(DOCKERFILE)
    (directory / ".dockerignore").write_text("*.log\n")
    (directory / "main").write_text("1")
    yield directory
    for name in ("built:1", "built:2"):
        fleet.client.delete(f"/images/{name}", force=True)


def test_context_of_the_host(fleet: Fleet, context: Path) -> None:
    task = {"name": "built:1", "context": str(context), "source": "host", "network": "none"}
    first = fleet.apply("image_build", **task, args={"WORD": "ahoy"}, labels={"team": "deck"})
    assert "ahoy" not in first["actions"]
    config = fleet.client.get("/images/built:1/json").json["Config"]
    assert (config["Labels"]["team"], config["Cmd"]) == ("deck", ["cat", "/word"])
    # No build can see it.
    (context / "x.log").write_text("1")
    same = {**task, "args": {"WORD": "ahoy"}, "labels": {"team": "deck"}}
    assert fleet.run("image_build", **same)["id"] == first["id"]
    # A wish that leaves the playbook leaves the image.
    (action,) = fleet.apply("image_build", **task, target="base")["actions"]
    assert action["reason"] == "the context or an option is another one"
    shown = fleet.client.get("/images/built:1/json").json
    assert "team" not in shown["Config"]["Labels"]
    (context / "main").write_text("2")
    assert fleet.apply("image_build", **task, target="base")["id"] != shown["Id"]
    # All of it comes from the cache.
    assert not fleet.run("image_build", **task, target="base", force=True)["changed"]


def test_command_that_fails(fleet: Fleet, context: Path) -> None:
    (context / "Dockerfile").write_text("FROM busybox\nRUN echo the reason; exit 3\n")
    task = {"name": "built:1", "context": str(context), "source": "host", "network": "none"}
    failed = fleet.run("image_build", **task, fails=True)
    assert "returned a non-zero code: 3" in failed["msg"]
    assert "\nthe reason" in failed["msg"]
    assert fleet.names() == set()


def test_context_of_the_controller_is_sent_when_something_is_built(
    fleet: Fleet, context: Path
) -> None:
    book = context.with_name("play.json")
    task = {"name": "built:2", "context": str(context), "network": "none"}
    foretold = play(fleet, book, "image_build", task, "--check")
    assert foretold["changed"]
    assert "context_sent" not in foretold
    done = play(fleet, book, "image_build", task)
    assert done["changed"]
    assert 0 < done["context_sent"] < 1000
    again = play(fleet, book, "image_build", task)
    assert (again["changed"], again["id"]) == (False, done["id"])
    assert "context_sent" not in again
    info = fleet.run("image_info", names=["built:2", "built:9", done["id"]])
    assert [found["Id"] for found in info["images"]] == [done["id"], done["id"]]
    assert info["missing"] == ["built:9"]
    everything = fleet.run("image_info")["images"]
    assert {"built:2", "busybox:latest"} <= {tag for item in everything for tag in item["RepoTags"]}
