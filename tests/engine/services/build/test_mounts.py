"""RUN --mount: binds, caches, tmpfs."""

from __future__ import annotations

import pytest

from tests.engine.services.build.conftest import Builder


def test_binds_show_the_context_stages_and_images(builder: Builder) -> None:
    dockerfile = """\
FROM busybox AS made
RUN echo made > /made
FROM busybox
WORKDIR /w
RUN --mount=target=/context --mount=type=bind,from=made,source=/made,dst=stage \\
    --mount=from=busybox,src=/etc,target=/image cat /context/sub/a stage /image/group > /out \\
    && ! touch /context/new
RUN --mount=target=/context,rw touch /context/new /context/sub/b
COPY . /all
"""
    result = builder.build(dockerfile, {"sub/a": "from the context\n"}, t="bound")
    assert result.error == ""
    shown = builder.run("bound", "cat", "/out").splitlines()
    assert shown[:3] == ["from the context", "made", "root:x:0:"]
    # What was written to a bind is nowhere, nor are the places on which it was mounted.
    listing = builder.run("bound", "sh", "-c", "ls -d /context /image /w/*; find /all -type f")
    assert sorted(listing.split()) == ["/all/Dockerfile", "/all/sub/a"]


def test_what_a_bind_shows_counts(builder: Builder) -> None:
    dockerfile = "FROM busybox\nRUN --mount=source=sub,target=/sub cat /sub/* > /out\n"
    builder.build(dockerfile, {"sub/a": "1", "other": "1"})
    assert builder.build(dockerfile, {"sub/a": "1", "other": "2"}).hits == 1
    assert builder.build(dockerfile, {"sub/a": "2", "other": "1"}).hits == 0


def test_caches_stay_from_build_to_build(builder: Builder) -> None:
    dockerfile = """\
FROM busybox
ARG RUN
USER user
RUN --mount=type=cache,target=/cache,uid=1000,gid=1000,mode=0700,sharing=locked \\
    echo $RUN >> /cache/runs && cat /cache/runs
"""
    assert "\n1\nRemoving" in builder.build(dockerfile, buildargs={"RUN": "1"}).text
    second = builder.build(dockerfile, buildargs={"RUN": "2"})
    assert "\n1\n2\nRemoving" in second.text
    layers = builder.client.get(f"/images/{second.id}/json").json["RootFS"]["Layers"]
    base = builder.client.get("/images/busybox/json").json["RootFS"]["Layers"]
    assert layers == base
    other = dockerfile.replace("target=/cache", "id=other,target=/cache")
    assert "\n3\nRemoving" in builder.build(other, buildargs={"RUN": "3"}).text
    pruned = builder.client.post("/build/prune", all=True).json
    assert pruned["SpaceReclaimed"] >= len("1\n2\n")
    assert "\n4\nRemoving" in builder.build(dockerfile, buildargs={"RUN": "4"}).text


def test_tmpfs(builder: Builder) -> None:
    line = "RUN --mount=type=tmpfs,target=/t,size=8m df -k /t && touch /t/x"
    result = builder.build(f"FROM busybox\n{line}\n", t="temporary")
    assert result.error == ""
    assert " 8192 " in result.text
    assert builder.run("temporary", "sh", "-c", "ls -d /t || echo gone").strip() == "gone"


@pytest.mark.parametrize(
    ("mount", "error"),
    [
        ("type=ssh", "send neither secrets nor keys"),
        ("type=secret,id=x", "send neither secrets nor keys"),
        ("type=bind", "target is missing"),
        ("type=tmpfs,target=/x,size=many", "invalid size"),
        ("type=bind,target=/x,colour=red", "unexpected key 'colour'"),
        ("type=bind,target", "must be a key=value pair"),
        ("source=none,target=/x", "file does not exist"),
        ("from=127.0.0.1:1/none,target=/x", "127.0.0.1:1"),
        ("source=Dockerfile,target=/x,rw", "is a file"),
    ],
)
def test_refusals(builder: Builder, mount: str, error: str) -> None:
    result = builder.build(f"FROM busybox\nRUN --mount={mount} true\n")
    assert error in result.error
