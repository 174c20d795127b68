"""The images that the suite takes from Docker Hub, made of busybox-static under their names."""

from __future__ import annotations

from tests.engine.imagekit import Built, busybox_rootfs, directory, layer, member

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_USERS = (
    "root:x:0:0:root:/root:/bin/sh\n"
    "daemon:x:2:2:daemon:/sbin:/sbin/nologin\n"
    "postgres:x:70:70::/var/lib/postgresql:/bin/sh\n"
    "nobody:x:65534:65534:nobody:/:/sbin/nologin\n"
)
_HELLO = "\nHello from Docker!\nThis image stands in for the one that says so.\n"


def images() -> list[Built]:
    """Return them all; each is told from the others by a file of its own."""
    return [
        _image("alpine:3.10"),
        _image("alpine:latest"),
        _image("busybox:latest"),
        _image("busybox:uclibc"),
        _image("hello-world:latest", Cmd=["printf", _HELLO]),
    ]


def _image(*tags: str, **config: object) -> Built:
    mark = layer(
        [
            member("etc/passwd", _USERS.encode()),
            *map(directory, ("usr", "usr/bin", "var", "var/opt")),
            member("etc/image", tags[0].encode()),
        ]
    )
    return Built(
        layers=[busybox_rootfs(), mark],
        tags=tags,
        config={"Cmd": ["/bin/sh"], "Env": [_PATH], **config},
    )
