"""RUN --mount: binds, caches, tmpfs."""

from __future__ import annotations

import hashlib

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
RUN --mount=from=made,target=/image,rw echo more >> /image/made
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


def test_secrets(builder: Builder) -> None:
    dockerfile = """\
FROM busybox
USER user
RUN --mount=type=secret,id=plain,uid=1000 --mount=type=secret,id=dir/other,target=/o,mode=0444 \\
    stat -c '%u:%g %a' /run/secrets/plain /o && cat /run/secrets/plain | sha256sum && cat /o \\
    && ! touch /o
"""
    value = "not to be kept"
    sent = {"plain": value, "dir/other": "read by all\n", "not used": "x"}
    result = builder.build(dockerfile, secrets=sent, t="secret")
    assert result.error == ""
    assert "\n1000:0 400\n0:0 444\n" in result.text
    assert f"{hashlib.sha256(value.encode()).hexdigest()}  -\nread by all\n" in result.text
    # Another secret is no other step, and of this one nothing is left.
    assert builder.build(dockerfile, secrets={**sent, "plain": "changed"}).hits == 2
    assert value not in builder.client.get("/images/secret/json").body.decode()
    assert list((builder.davitd.run / "secrets").iterdir()) == []
    rows = [path.read_bytes() for path in builder.davitd.data.glob("state.db*")]
    assert rows
    assert not any(value.encode() in content for content in rows)


def test_secrets_and_keys_that_are_not_required_are_left_out(builder: Builder) -> None:
    mounts = "--mount=type=secret,id=x --mount=type=ssh --mount=type=secret,id=y,required=false"
    result = builder.build(f"FROM busybox\nRUN {mounts} ls /run/secrets || echo no''thing\n")
    assert result.error == ""
    assert "[Warning] secret x was not sent: left out\n" in result.text
    assert "nothing\n" in result.text


def test_a_header_that_cannot_be_read(builder: Builder) -> None:
    headers = {"X-Davit-Secrets": "e30x"}
    answer = builder.client.request("POST", "/build", b"", headers=headers)
    assert (answer.status, "invalid X-Davit-Secrets header" in answer.message) == (400, True)


@pytest.mark.parametrize(
    ("mount", "error"),
    [
        ("type=ssh,required", "SSH agent default: the client does not lend it"),
        ("type=secret,id=x,required=true", "secret x: not found"),
        ("type=secret", "id or target is missing"),
        ("type=secret,id=x,env=X", "unexpected key 'env'"),
        ("type=volume,target=/x", "invalid mount type 'volume'"),
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
