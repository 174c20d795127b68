"""The cache of steps: it hits whenever it may, and never when it may not."""

from __future__ import annotations

import tarfile
from typing import Any

import pytest

from tests.engine.client import Client
from tests.engine.conftest import Davitd
from tests.engine.services.build.conftest import Builder

DOCKERFILE = """\
FROM busybox
ARG VERSION=1
COPY files /files
RUN echo $VERSION > /version
CMD ["cat", "/version"]
"""


def member(**fields: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo()
    for name, value in fields.items():
        setattr(info, name, value)
    return info


def test_the_same_again_is_the_same_image(builder: Builder) -> None:
    first = builder.build(DOCKERFILE, {"files/a": "a", "other": "1"}, nocache=True)
    # Neither times nor files that no step takes count.
    again = builder.build(DOCKERFILE, {"other": "2", "files/a": "a"})
    assert (again.hits, again.id) == (4, first.id)
    later = builder.build(DOCKERFILE, {"files/a": member(size=0, mtime=10**9), "b": "x"})
    touched = builder.build(DOCKERFILE, {"files/a": member(size=0, mtime=2 * 10**9)})
    assert touched.id == later.id


@pytest.mark.parametrize(
    ("files", "query", "hits"),
    [
        ({"files/a": "changed"}, {}, 1),
        ({"files/b": "a"}, {}, 1),
        ({"files/a": "a", "files/b": ""}, {}, 1),
        ({"files/a": "a"}, {"buildargs": {"VERSION": "2"}}, 2),
        ({"files/a": "a"}, {"buildargs": {"HTTP_PROXY": "x"}}, 4),
        ({"files/a": "a"}, {"nocache": True}, 0),
        ({"files/a": "a"}, {"networkmode": "none"}, 2),
        ({"files/a": "a"}, {"cachefrom": ["nowhere"]}, 0),
        ({"files/a": "a"}, {"labels": {"x": "y"}}, 4),
    ],
)
def test_what_counts(
    builder: Builder, files: dict[str, str], query: dict[str, Any], hits: int
) -> None:
    builder.build(DOCKERFILE, {"files/a": "a"})
    assert builder.build(DOCKERFILE, files, **query).hits == hits
    builder.client.post("/build/prune", all=True)


def test_modes_count(builder: Builder) -> None:
    builder.build(DOCKERFILE, {"files/a": member(mode=0o644)})
    assert builder.build(DOCKERFILE, {"files/a": member(mode=0o600)}).hits == 1


def test_the_same_words_after_another_command_are_another_step(builder: Builder) -> None:
    inherited = builder.build('FROM busybox\nCMD ["x"]\n', t="with-command")
    own = builder.build('FROM busybox\nCMD ["x"]\nENTRYPOINT ["echo"]\n')
    assert inherited.id != own.id
    other = builder.build('FROM with-command\nENTRYPOINT ["echo"]\n')
    assert (builder.config(own.id)["Cmd"], builder.config(other.id)["Cmd"]) == (["x"], None)


def test_steps_before_a_failure_stay(builder: Builder) -> None:
    broken = "FROM busybox\nRUN echo kept > /kept\nRUN false\n"
    assert builder.build(broken, forcerm=True).error
    assert builder.build(broken.replace("false", "true")).hits == 1


def test_an_image_from_elsewhere_lends_its_steps(builder: Builder) -> None:
    files = {"files/a": "lent"}
    first = builder.build(DOCKERFILE, files, t="lender")
    archive = builder.client.get("/images/lender/get").body
    builder.client.delete("/images/lender")
    assert builder.client.get(f"/images/{first.id}/json").status == 404
    builder.client.post("/images/load", archive)
    assert builder.build(DOCKERFILE, files, cachefrom=["lender"]).hits == 4
    assert builder.build(DOCKERFILE, {"files/a": "own"}, cachefrom=["lender"]).hits == 1


def test_a_changed_base_or_stage_counts(builder: Builder) -> None:
    base = "FROM busybox\nENV A={}\n"
    dockerfile = """\
FROM changing AS made
COPY part /part
FROM busybox
COPY --from=made /part /part
RUN cat /part
FROM changing
RUN true
COPY --from=1 /part /part
"""
    builder.build(base.format(1), t="changing")
    first = builder.build(dockerfile, {"part": "1"})
    assert builder.build(dockerfile, {"part": "1"}).hits == 5
    assert builder.build(dockerfile, {"part": "2"}).hits == 1
    builder.build(base.format(2), t="changing")
    # The files that the first stage makes are the same, so what they are copied to is.
    again = builder.build(dockerfile, {"part": "1"})
    assert (again.hits, again.id == first.id) == (2, False)
    builder.client.post("/build/prune", all=True)


def test_an_argument_counts_from_where_it_is_declared(builder: Builder) -> None:
    dockerfile = "FROM busybox\nRUN true\nARG V\nENV X=1\nRUN echo $V\n"
    hits = [builder.build(dockerfile, buildargs=args).hits for args in ({}, {"V": "1"}, {"V": "2"})]
    assert hits == [0, 3, 3]
    # One that only an instruction sees counts by what it makes of it.
    dockerfile = "FROM busybox\nARG V\nENV X=${V:+set}\nEXPOSE ${V:-80}\n"
    hits = [builder.build(dockerfile, buildargs={"V": number}).hits for number in ("1", "1", "2")]
    assert hits == [0, 3, 2]


def test_the_cache_outlives_davitd(davitd: Davitd) -> None:
    davitd.load_busybox()
    builder = Builder(davitd)
    dockerfile = DOCKERFILE + "RUN --mount=type=cache,target=/c echo x >> /c/f; cat /c/f\n"
    first = builder.build(dockerfile, {"files/a": "a"})
    davitd.stop()
    davitd.start()
    assert builder.build(dockerfile, {"files/a": "a"}).id == first.id
    assert builder.build(dockerfile, {"files/a": "b"}).text.count("\nx\nx\n") == 1


def test_what_is_kept_is_told_and_pruned_as_asked(builder: Builder) -> None:
    client = builder.client
    client.post("/build/prune", all=True)
    mount = "RUN --mount=type=cache,target=/c echo 1234567 > /c/x"
    builder.build(f"FROM busybox\nRUN echo 123 > /first\nENV A=b\n{mount}\n")
    builder.build("FROM busybox\nRUN echo 12345 > /named\nCMD x\n", t="kept")
    shown = client.get("/system/df", type="build-cache").json["BuildCache"]
    rows = {row["Description"]: row for row in shown}
    first, env = rows["/bin/sh -c echo 123 > /first"], rows["/bin/sh -c #(nop)  ENV A=b"]
    assert (first["Type"], first["Size"], first["Parents"]) == ("regular", 4, [])
    assert (env["Size"], env["Parents"]) == (0, [first["ID"]])
    named = rows["/bin/sh -c echo 12345 > /named"]
    assert (named["Shared"], named["Size"], named["InUse"]) == (True, 6, False)
    directory = rows["cached mount"]
    assert (directory["Type"], directory["Size"]) == ("exec.cachemount", 8)
    assert "Build Cache" in builder.davitd.docker("system", "df").stdout.decode()
    old = Client(builder.davitd.socket, "v1.41").get("/system/df").json
    assert old["BuilderSize"] == 4 + 6 + 8
    assert {row["Parent"] for row in old["BuildCache"]} >= {"", first["ID"]}

    def prune(**query: Any) -> tuple[list[str], int]:
        answer = client.post("/build/prune", **query).json
        return answer["CachesDeleted"] or [], answer["SpaceReclaimed"]

    assert prune(filters={"until": ["1h"]}) == ([], 0)
    assert prune(filters={"shared": ["true"]}) == ([], 0)
    # 18 bytes are there: what is kept of them are the newest.
    assert prune(**{"keep-storage": 1 << 20}) == ([], 0)
    assert prune(filters={"type": ["exec.cachemount"]}) == ([directory["ID"]], 8)
    assert prune(filters={"id": [first["ID"]]}) == ([first["ID"]], 0)
    assert prune(**{"reserved-space": 8})[1] == 4
    assert client.get("/images/kept/json").status == 200
    assert prune(all=True, filters={"shared": ["true"]}) == ([named["ID"]], 0)


def test_steps_go_with_their_image_and_by_pruning(builder: Builder) -> None:
    builder.client.post("/build/prune", all=True)
    before = len(builder.client.get("/images/json", all=True).json)
    builder.build(DOCKERFILE, {"files/a": "x"}, t="gone")
    assert len(builder.client.get("/images/json", all=True).json) == before + 4
    builder.client.delete("/images/gone")
    assert len(builder.client.get("/images/json", all=True).json) == before
    result = builder.build(DOCKERFILE, {"files/a": "x"}, t="stays")
    pruned = builder.client.post("/build/prune").json
    assert pruned == {"CachesDeleted": None, "SpaceReclaimed": 0}
    builder.build("FROM busybox\nRUN echo 12345 > /alone\n")
    pruned = builder.client.post("/build/prune").json
    assert (len(pruned["CachesDeleted"]), pruned["SpaceReclaimed"]) == (1, 6)
    assert len(builder.client.post("/build/prune", all=True).json["CachesDeleted"]) == 3
    assert builder.client.get("/images/stays/json").json["Id"] == result.id
    assert builder.run("stays").strip() == "1"
