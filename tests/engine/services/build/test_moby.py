"""The same Dockerfiles on Moby: the same configuration, the same files."""

from __future__ import annotations

import io
import re
import tarfile
from typing import Any

import pytest

from tests.engine import imagekit
from tests.engine.client import Client
from tests.engine.conftest import Davitd
from tests.engine.mobykit import Moby
from tests.engine.services.build.conftest import Builder, context

_FIELDS = (
    *("Cmd", "Entrypoint", "Env", "ExposedPorts", "Healthcheck", "Labels", "OnBuild"),
    *("Shell", "StopSignal", "User", "Volumes", "WorkingDir"),
)
_STUBS = (
    *(".dockerenv", "dev/", "proc/", "sys/"),
    *("etc/hostname", "etc/hosts", "etc/resolv.conf", "etc/mtab"),
)

DOCKERFILES = {
    "configuration": """\
FROM busybox
ARG A=x
ENV B="b $A" C=c\\ d D=${A:+set} E='$A' F=${B}
ENV OLD old form "quoted"
LABEL l1=$B "l 2"='two words' l3="multi \\
line"
EXPOSE 80 $A$A 443/tcp 53/udp
VOLUME /v1 /v2
VOLUME ["/v3", "/with blank"]
WORKDIR /w
WORKDIR rel/../$A
USER 12:34
STOPSIGNAL 9
HEALTHCHECK --interval=1m30s --timeout=5s --retries=4 CMD ["test", "-f", "/x"]
ENTRYPOINT ["e1", "e2"]
CMD c1 "c 2" $A
ONBUILD RUN echo $A
""".replace("$A$A ", ""),
    "commands": """\
FROM busybox
CMD ["sh"]
SHELL ["/bin/sh", "-e", "-c"]
ENTRYPOINT echo shell form
HEALTHCHECK NONE
CMD [not, json]
""",
    "copy": """\
FROM busybox
WORKDIR /w
COPY a.txt .
COPY a.txt renamed
COPY a.txt b.txt /two/
COPY sub /new/dir
COPY sub /new/slash/
COPY sub/ sub2/ ./merged/
COPY *.txt globbed/
COPY s?b/* /star/
COPY link /linked
COPY sub /w
COPY ["a.txt", "/with blank/x"]
COPY --chown=1000:2000 sub /owned
COPY --chown=user a.txt /owned.txt
COPY . /everything
RUN ln -s /w /linked-dir
COPY b.txt /linked-dir/through
""",
    "add": """\
FROM busybox
ADD archive.tar /unpacked/
ADD archive.tar.gz /w
ADD a.txt archive.tar /both/
ADD sub /folder
""",
    "run": """\
FROM busybox
ARG A=1
RUN echo $A > /a && mkdir -p /d/e && chmod 750 /d && chown 3:4 /d/e
RUN rm /etc/group && rm -r /var/www && mkdir /var/www && touch /var/www/new
RUN ["touch", "/exec $A"]
USER user
RUN touch /tmp/mine
""",
    "stages": """\
FROM busybox AS first
RUN mkdir /out && echo 1 > /out/a && chown -R 5:6 /out
FROM first AS second
RUN echo 2 > /out/b
FROM busybox
COPY --from=second /out /kept
COPY --from=0 --chown=7:8 /out/a /given/
COPY --from=first /etc/passwd /etc/passwd2
""",
    "arguments": """\
ARG BASE=busybox
ARG GLOBAL=outside
FROM ${BASE:-none}
ARG GLOBAL
ARG GIVEN
ARG LATE=$GLOBAL-${GIVEN:+set}
ENV LATE=${LATE}x E1=${NONE:-"a b"} E2=${LATE:+$GIVEN} E3=\\$LATE E4="${NONE:-'q'}" E5=$GIVEN/$1
LABEL seen=$LATE
RUN echo "$LATE $GLOBAL $GIVEN $HTTP_PROXY" > /seen
ENV GIVEN=environment
RUN echo "$GIVEN" > /after
ARG HTTP_PROXY
RUN echo "$HTTP_PROXY" > /declared
WORKDIR /$GIVEN/${NONE:-w}
EXPOSE ${NONE:-80}
""",
    "volumes": """\
FROM busybox
RUN mkdir -p /kept /later && echo before > /kept/a
VOLUME /kept
RUN echo lost > /kept/b; echo other > /c
COPY a.txt /kept/copied
WORKDIR /kept/made
VOLUME ["/later"]
RUN touch /later/lost
STOPSIGNAL RTMIN+3
HEALTHCHECK CMD true
HEALTHCHECK NONE
""",
    "users": """\
FROM busybox
RUN echo "named:x:1234:4321::/:/bin/sh" >> /etc/passwd && echo "team:x:99:named" >> /etc/group
USER named
WORKDIR /home/of
RUN id -u > /tmp/who; id -G >> /tmp/who
COPY --chown=named:team a.txt sub /given/
COPY --chown=77 a.txt /number.txt
ADD --chown=named:5 sub /owned/
USER 5:team
RUN id -g > /tmp/again
""",
    "directives": """\
# escape=`
# a comment
FROM busybox
RUN echo one `
# inside

  && echo "a\\b" > /backslash
ENV P=c:\\dir Q=`$P
COPY a.txt `
     /continued
label lower=Case
Run ["sh", "-c", "echo x > /quoted"]
""",
    "paths": """\
FROM busybox
COPY sub sub2 /merged/
COPY ./sub/../a.txt /up.txt
COPY a.txt /etc
COPY a.txt /bin/../over
RUN mkdir /d && ln -s /d /to-d && ln -s nothing /dangling && echo x > /d/a.txt
COPY a.txt /to-d
COPY sub /to-d/
COPY sub2/c b.txt /to-d/
WORKDIR /to-d/inner
WORKDIR /dangling/deep
COPY . .
RUN rm -rf /d/sub && mkdir /d/sub && touch /d/sub/only
""",
}
# Beside the Dockerfile's own: what the client gives.
_QUERY = {
    "buildargs": {"GIVEN": "given", "UNUSED": "x"},
    "labels": {"from client": "it's $HOME"},
}
# Digests of files are each engine's own; 20.10 forgets a blank, and writes a Go structure.
_OWN = re.compile(r"\s?((?:file|dir|multi):)[0-9a-f]{64}|(HEALTHCHECK) .*")


def _context(dockerfile: str) -> bytes:
    link = tarfile.TarInfo()
    link.type, link.linkname = tarfile.SYMTYPE, "a.txt"
    inner = tarfile.TarInfo()
    inner.type, inner.linkname = tarfile.SYMTYPE, "../a.txt"
    private = tarfile.TarInfo()
    private.mode, private.uid, private.gid = 0o710, 99, 99
    folder = tarfile.TarInfo()
    folder.type, folder.mode = tarfile.DIRTYPE, 0o700
    archive = imagekit.layer(
        [
            imagekit.directory("dir", uid=5, gid=6),
            imagekit.member("dir/file", b"text", uid=7, gid=8, mode=0o640),
            imagekit.member(
                *("dir/hard", None, tarfile.LNKTYPE),
                linkname="dir/file",
                uid=7,
                gid=8,
                mode=0o640,
            ),
        ]
    )
    return context(
        dockerfile,
        {
            "a.txt": "a",
            "b.txt": "bb",
            "link": link,
            "sub": folder,
            "sub/c": "c",
            "sub/deep": folder,
            "sub/deep/d": "d",
            "sub/inner": inner,
            "sub/private": private,
            "sub2/c": "other",
            "archive.tar": archive,
            "archive.tar.gz": imagekit.compress(archive),
        },
    )


def _build(client: Client, dockerfile: str, tag: str) -> None:
    answer = client.post("/build", _context(dockerfile), t=tag, networkmode="none", **_QUERY)
    assert b"Successfully built" in answer.body, answer.body.decode()


def _files(client: Client, tag: str) -> dict[str, tuple[Any, ...]]:
    """Every file of an image: type, mode, owner, where a link leads, contents."""
    created = client.post("/containers/create", {"Image": tag, "Cmd": ["x"]}).json["Id"]
    archive = client.get(f"/containers/{created}/export").body
    client.delete(f"/containers/{created}")
    found: dict[str, tuple[Any, ...]] = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for info in tar:
            name = info.name.removeprefix("./")
            if not name or name == "." or f"{name}/".startswith(_STUBS) or name in _STUBS:
                continue
            data = tar.extractfile(info) if info.isreg() and info.size < 1 << 16 else None
            kind = tarfile.REGTYPE if info.islnk() else info.type
            target = info.linkname if info.issym() else ""
            content = data.read() if data else None
            # Which name of a hard link is the file depends on the order.
            is_hard = info.islnk() or name.endswith(("dir/file", "dir/hard"))
            found[name] = (kind, info.mode & 0o7777, info.uid, info.gid, target, is_hard or content)
    return found


def _history(client: Client, tag: str) -> list[str]:
    steps = client.get(f"/images/{tag}/history").json
    return [_OWN.sub(r"\1\2", step["CreatedBy"]) for step in steps]


def _said(value: Any) -> Any:
    """Zero and empty are as good as absent."""
    if isinstance(value, dict):
        value = {key: item for key, item in value.items() if item != 0}
    return value or None


@pytest.mark.parametrize("name", DOCKERFILES)
def test_both_make_the_same(shared_davitd: Davitd, builder: Builder, moby: Moby, name: str) -> None:
    for client in (builder.client, moby.client):
        _build(client, DOCKERFILES[name], f"same-{name}")
    ours, theirs = (
        client.get(f"/images/same-{name}/json").json["Config"]
        for client in (Client(shared_davitd.socket, "v1.41"), moby.client)
    )
    for field in _FIELDS:
        assert _said(ours.get(field)) == _said(theirs.get(field)), field
    tag = f"same-{name}"
    assert _history(builder.client, tag) == _history(moby.client, tag)
    made, wanted = _files(builder.client, tag), _files(moby.client, tag)
    names = sorted(made.keys() | wanted.keys())
    different = [name for name in names if made.get(name) != wanted.get(name)]
    assert [(name, made.get(name), wanted.get(name)) for name in different] == []
