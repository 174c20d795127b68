"""Builds on real containers: what comes out, and what is said."""

from __future__ import annotations

import tarfile

import pytest

from davit.model import platform
from tests.engine.services.build.conftest import Builder


def test_instructions_become_the_configuration(builder: Builder) -> None:
    result = builder.build(
        """\
FROM busybox
ARG WHO=world
ENV GREETING="hello $WHO" OTHER=a\\ b
ENV OLD the rest is the value
LABEL "a key"=value who=$WHO
EXPOSE 80 81-82/udp
VOLUME /data
WORKDIR /srv
WORKDIR app
USER user
STOPSIGNAL SIGINT
HEALTHCHECK --interval=3s --retries=2 CMD true
SHELL ["/bin/ash", "-e", "-c"]
CMD echo $GREETING
ONBUILD RUN echo later
MAINTAINER somebody
""",
        t="configured:1",
    )
    assert result.error == ""
    config = builder.config("configured:1")
    assert config["Env"] == [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "GREETING=hello world",
        "OTHER=a b",
        "OLD=the rest is the value",
    ]
    assert config["Labels"] == {"a key": "value", "who": "world"}
    assert sorted(config["ExposedPorts"]) == ["80/tcp", "81/udp", "82/udp"]
    assert config["WorkingDir"] == "/srv/app"
    assert (config["User"], config["StopSignal"]) == ("user", "SIGINT")
    health = config["Healthcheck"]
    assert (health["Test"], health["Interval"]) == (["CMD-SHELL", "true"], 3 * 10**9)
    assert health["Retries"] == 2
    assert config["Shell"] == ["/bin/ash", "-e", "-c"]
    assert config["Cmd"] == ["/bin/ash", "-e", "-c", "echo $GREETING"]
    assert config["OnBuild"] == ["RUN echo later"]
    image = builder.client.get("/images/configured:1/json").json
    assert (image["Author"], image["Id"]) == ("somebody", result.id)


def test_what_is_said(builder: Builder) -> None:
    result = builder.build("FROM busybox\nRUN echo out; echo err >&2\n", t="said:1")
    short = result.id.removeprefix("sha256:")[:12]
    base = builder.client.get("/images/busybox/json").json["Id"].removeprefix("sha256:")[:12]
    said = result.text.splitlines()
    assert said[:2] == ["Step 1/2 : FROM busybox", f" ---> {base}"]
    assert said[2] == "Step 2/2 : RUN echo out; echo err >&2"
    container = said[3].removeprefix(" ---> Running in ")
    assert len(container) == 12
    assert "out\n" in result.text
    assert {"stream": "\x1b[91merr\n\x1b[0m"} in result.lines
    assert f"Removing intermediate container {container}" in said[-4]
    assert said[-3:] == [
        f" ---> {short}",
        f"Successfully built {short}",
        "Successfully tagged said:1",
    ]
    quiet = builder.build("FROM busybox\nRUN echo out; echo err >&2\n", q=True)
    assert quiet.lines == [{"stream": f"{result.id}\n"}]


def test_files_are_copied_as_docker_does(builder: Builder) -> None:
    link = tarfile.TarInfo()
    link.type, link.linkname = tarfile.SYMTYPE, "a.txt"
    program = tarfile.TarInfo()
    program.mode, program.uid = 0o755, 77
    result = builder.build(
        """\
FROM busybox
WORKDIR /w
COPY a.txt renamed
COPY a.txt b.txt into/
COPY sub .
COPY sub /new/dir
COPY ["a.txt", "/json dir/"]
COPY s?b/*.x? /globbed/
COPY link /followed
COPY --chown=user:extra --chmod=0640 program /owned/program
COPY --chown=12:34 sub /numbers
COPY --exclude=*.xb sub /chosen
COPY <<one <<-'two' /docs/
value $HOME ${NONE:-"none"}
one
	raw $HOME
two
""",
        {
            "a.txt": "a",
            "b.txt": "b",
            "sub/c.xa": "c",
            "sub/d.xb": "d",
            "sub/deep/link": link,
            "link": link,
            "program": program,
        },
        t="copied",
    )
    assert result.error == ""
    listing = builder.run(
        "copied", "sh", "-c", "cd / && find w new json* globbed docs owned chosen ! -type d | sort"
    )
    assert listing.split("\n")[:-1] == [
        "chosen/c.xa",
        "chosen/deep/link",
        "docs/one",
        "docs/two",
        "globbed/c.xa",
        "globbed/d.xb",
        "json dir/a.txt",
        "new/dir/c.xa",
        "new/dir/d.xb",
        "new/dir/deep/link",
        "owned/program",
        "w/c.xa",
        "w/d.xb",
        "w/deep/link",
        "w/into/a.txt",
        "w/into/b.txt",
        "w/renamed",
    ]
    status = builder.run(
        *("copied", "stat", "-c", "%n %u:%g %a %F"),
        *("/owned", "/owned/program", "/numbers/c.xa", "/w/renamed", "/followed"),
    )
    assert status.splitlines() == [
        "/owned 1000:2000 755 directory",
        "/owned/program 1000:2000 640 regular empty file",
        "/numbers/c.xa 12:34 644 regular file",
        "/w/renamed 0:0 644 regular file",
        "/followed 0:0 644 regular file",
    ]
    assert builder.run("copied", "cat", "/docs/one", "/docs/two") == ('value  "none"\nraw $HOME\n')


def test_files_keep_their_parents(builder: Builder) -> None:
    result = builder.build(
        """\
FROM busybox
COPY --parents x/y/a x/b /all/
COPY --parents --chown=5:6 x/./y z /from-the-pivot
COPY --parents **/*.txt /deep/
COPY --parents=false x/y/a /flat
COPY --parents --from=busybox /etc/./passwd /image/
""",
        {"x/y/a": "1", "x/b": "2", "z": "3", "x/y/d.txt": "", "e.txt": ""},
        t="parents",
    )
    assert result.error == ""
    listing = builder.run(
        *("parents", "sh", "-c"),
        "cd / && find all from* deep flat image ! -type d | sort && stat -c %u:%g /from*/y/a",
    )
    assert listing.split() == [
        *("all/x/b", "all/x/y/a", "deep/e.txt", "deep/x/y/d.txt", "flat"),
        *("from-the-pivot/y/a", "from-the-pivot/y/d.txt", "from-the-pivot/z", "image/passwd"),
        "5:6",
    ]


def test_stages(builder: Builder) -> None:
    result = builder.build(
        """\
ARG BASE=nothing
FROM $BASE AS one
ARG BASE
RUN echo $BASE > /made && chown 5:6 /made
FROM missing AS unused
RUN false
FROM busybox
COPY --from=one /made /first
COPY --from=0 --chown=1:2 /made /second
COPY --from=busybox /etc/group /third
""",
        buildargs={"BASE": "busybox"},
        t="staged",
    )
    assert result.error == ""
    assert "Step 1/7" in result.text
    shown = builder.run("staged", "stat", "-c", "%u:%g", "/first", "/second", "/third")
    assert shown.split() == ["5:6", "1:2", "0:0"]
    assert builder.run("staged", "cat", "/first") == "busybox\n"
    target = builder.build("FROM busybox AS a\nENV A=1\nFROM busybox\nRUN false\n", target="A")
    assert "A=1" in builder.config(target.id)["Env"]


def test_here_documents_run(builder: Builder) -> None:
    result = builder.build(
        """\
FROM busybox
RUN <<EOF
echo one > /out
echo two >> /out
EOF
USER user
RUN <<-EOF
	#!/bin/sh -eu
	echo "script $-" > /tmp/script
EOF
USER root
RUN cat <<A > /joined && cat <<B >> /joined
first
A
second
B
RUN ["/bin/sh", "-c", "echo exec > /exec"]
""",
        t="documents",
    )
    assert result.error == ""
    shown = builder.run("documents", "cat", "/out", "/tmp/script", "/joined", "/exec")
    assert shown.split() == ["one", "two", "script", "ue", "first", "second", "exec"]


def test_triggers(builder: Builder) -> None:
    base = "FROM busybox\nONBUILD COPY a /a\nONBUILD RUN <<END\ncat /a > /b\nEND\n"
    assert builder.build(base, {"a": ""}, t="trigger").error == ""
    result = builder.build("FROM trigger\nRUN cat /b\n", {"a": "text"}, t="triggered")
    assert result.error == ""
    assert "# Executing 2 build triggers" in result.text
    assert not builder.config("triggered").get("OnBuild")
    assert builder.run("triggered", "cat", "/b") == "text"


def test_a_new_entrypoint_drops_the_command_of_the_image(builder: Builder) -> None:
    first = builder.build('FROM busybox\nENTRYPOINT ["echo"]\n')
    assert builder.config(first.id)["Cmd"] is None
    both = builder.build('FROM busybox\nCMD ["x"]\nENTRYPOINT ["echo"]\n', labels={"l": "it's"})
    assert builder.config(both.id)["Cmd"] == ["x"]
    assert builder.config(both.id)["Labels"] == {"l": "it's"}


@pytest.mark.parametrize(
    ("dockerfile", "error"),
    [
        ("FROM busybox\nRUN exit 7\n", "The command '/bin/sh -c exit 7' returned a non-zero code"),
        ("FROM 127.0.0.1:1/none\n", "127.0.0.1:1"),
        ("FROM busybox\nCOPY none /x\n", "COPY failed: file not found in build context"),
        ("FROM busybox\nCOPY *.none /x\n", "COPY failed: no source files were specified"),
        ("FROM busybox\nCOPY ../x /x\n", "COPY failed: file not found in build context"),
        ("FROM busybox\nCOPY Dockerfile . /x\n", "the destination must be a directory"),
        ("FROM busybox\nCOPY --chown=nobody-here . /x\n", "unable to find user nobody-here"),
        ("FROM busybox\nCOPY --from=127.0.0.1:1/none /x /x\n", "127.0.0.1:1"),
        ("FROM busybox\nEXPOSE many\n", "invalid containerPort: many"),
        ("FROM busybox\nENV a=${b:?missing}\n", "b: missing"),
        ("FROM scratch\n", "No image was generated"),
        ("FROM busybox\nSTOPSIGNAL NONE\n", "invalid signal: NONE"),
        ("FROM busybox\nWORKDIR /bin/sh/x\n", "cannot make the directory /bin/sh"),
        ("FROM busybox\nCOPY --parents x/none /x\n", "file not found in build context"),
        ("FROM busybox\nRUN --security=insecure true\n", "in the sandbox only"),
        ("FROM busybox\nRUN --network=mine true\n", "invalid network 'mine'"),
        ("FROM --platform=linux/s390x busybox\n", "registry-1.docker.io"),
        ("FROM busybox\nONBUILD FROM x\n", "FROM isn't allowed as an ONBUILD trigger"),
    ],
)
def test_failures_are_told_in_the_stream(builder: Builder, dockerfile: str, error: str) -> None:
    result = builder.build(dockerfile, forcerm=True)
    assert error in result.error
    assert result.answer.status == 200
    assert result.text.startswith("Step 1/")
    code = result.lines[-1]["errorDetail"].get("code")
    assert code == (7 if "exit 7" in dockerfile else None)


def test_arguments_nobody_declares_are_told(builder: Builder) -> None:
    result = builder.build("FROM busybox\nARG A\n", buildargs={"A": "1", "B": "2", "C": None})
    assert "[Warning] One or more build-args [B] were not consumed" in result.text


def test_the_ignore_file(builder: Builder) -> None:
    files = {".dockerignore": "*\n!keep\n!Dockerfile\n", "keep/x": "x", "secret": "s"}
    result = builder.build("FROM busybox\nCOPY . /all\n", files, t="ignored")
    assert result.error == ""
    assert builder.run("ignored", "sh", "-c", "cd /all && find . -type f | sort").split() == [
        "./Dockerfile",
        "./keep/x",
    ]


def test_an_ignore_file_for_one_dockerfile(builder: Builder) -> None:
    files = {"sub/a": "FROM busybox\nCOPY . /all\nRUN ls /all > /ls\n", "kept": "", "not": ""}
    files |= {"sub/a.dockerignore": "not\nsub", ".dockerignore": "kept"}
    assert builder.build("", files, query={"dockerfile": "sub/a"}, t="ignored").error == ""
    assert builder.run("ignored", "cat", "/ls").split() == ["Dockerfile", "kept"]


@pytest.mark.parametrize(
    ("line", "asked", "architecture"),
    [
        ("FROM scratch", "linux/arm64", "arm64"),
        ("FROM --platform=linux/riscv64 scratch", "linux/arm64", "riscv64"),
        ("FROM scratch", "", platform.parse("").architecture),
    ],
)
def test_what_nothing_is_built_on_is_for_the_platform_that_was_asked_for(
    builder: Builder, line: str, asked: str, architecture: str
) -> None:
    dockerfile = f"{line}\nCOPY a /a\n"
    first = builder.build(dockerfile, {"a": "scratch"}, platform=asked)
    image = builder.client.get(f"/images/{first.id}/json").json
    assert (image["Architecture"], image["Os"]) == (architecture, "linux")
    again = builder.build(dockerfile, {"a": "scratch"}, platform=asked)
    assert (again.id, again.hits) == (first.id, 1)


DIRECTIVES = """\
# syntax=docker/dockerfile:1.7
# check=skip=all
# escape=`
FROM --platform=$BUILDPLATFORM busybox AS made
ARG TARGETPLATFORM
ARG TARGETARCH TARGETOS BUILDPLATFORM
ARG TARGETSTAGE
RUN echo $TARGETPLATFORM = $TARGETOS/$TARGETARCH = $BUILDPLATFORM for `
    $TARGETSTAGE in $HTTP_PROXY
COPY --link Dockerfile c:\\d
"""


def test_directives_and_automatic_arguments(builder: Builder) -> None:
    query = {"target": "made", "buildargs": {"HTTP_PROXY": "http://user:secret@proxy"}}
    result = builder.build(DIRECTIVES, query=query, t="automatic")
    assert result.error == ""
    (said,) = (line for line in result.text.splitlines() if " = " in line and "RUN" not in line)
    first, second, rest = said.split(" = ")
    assert first == second == rest.split()[0]
    assert rest.split()[1:] == ["for", "made", "in", "http://user:secret@proxy"]
    assert builder.run("automatic", "ls", "/c:\\d") == "/c:\\d\n"
    # What a proxy's address tells is for the command, not for those who get the image.
    image = builder.client.get("/images/automatic/json").body
    assert b"secret" not in image + builder.client.get("/images/automatic/history").body
