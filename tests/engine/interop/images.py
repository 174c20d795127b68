"""An image with all kinds of files, and others like it."""

from __future__ import annotations

import tarfile
from dataclasses import replace

from tests.engine import imagekit
from tests.engine.imagekit import Built, busybox, directory, hard_link, layer, member, symlink

_CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")  # cap_net_bind_service=ep
_OWNER = {"mode": 0o4755, "uid": 1000, "gid": 70_000, "mtime": 1_600_000_001}

_KINDS = [
    directory("./"),
    directory("d", 0o2750, uid=3_000_000, gid=70_000, mtime=1_600_000_000),
    member("d/file", b"hello", **_OWNER),
    hard_link("d/hard", "d/file", **_OWNER),
    symlink("d/link", "../bin/sh"),
    symlink("d/dangling", "/no/where"),
    member("d/nanoseconds", b"n", pax_headers={"mtime": "1600000000.123456789"}),
    member("d/attribute", b"x", pax_headers={"SCHILY.xattr.user.colour": "blue"}),
    member(
        "d/capable",
        b"x",
        mode=0o755,
        pax_headers={
            "SCHILY.xattr.security.capability": _CAPABILITY.decode("utf-8", "surrogateescape")
        },
    ),
    member("d/pipe", kind=tarfile.FIFOTYPE, mode=0o622),
    directory("dev"),
    member("dev/zero", kind=tarfile.CHRTYPE, mode=0o666, devmajor=1, devminor=5),
    member("dev/disk", kind=tarfile.BLKTYPE, mode=0o660, gid=6, devmajor=8, devminor=1),
    member(f"d/{'long' * 50} näme", b"long"),
    directory("opaque"),
    member("opaque/below", b"below"),
    member("gone", b"gone"),
    member("replaced", b"file"),
]
_CHANGES = [
    directory("./"),
    directory("opaque", 0o700, mtime=1_600_000_002),
    member("opaque/.wh..wh..opq"),
    member("opaque/above", b"above"),
    member(".wh.gone"),
    directory("replaced", 0o711),
    member("replaced/inside", b"1"),
    directory("d", 0o2755, uid=3_000_000, gid=70_000, mtime=1_600_000_003),
    member("d/.wh.dangling"),
]


def rich(number: int, architecture: str = "") -> Built:
    """``rich:NUMBER``. No two have a layer in common: whoever pulls one pulls all of it."""
    marker = member("number", str(number).encode())
    image = busybox(
        f"rich:{number}",
        extra=[layer([*_KINDS, marker]), layer([*_CHANGES, marker])],
        Cmd=["echo", "from", "the", "image"],
        Entrypoint=["/bin/busybox"],
        Env=["PATH=/bin", "COLOUR=blue"],
        ExposedPorts={"80/tcp": {}, "53/udp": {}},
        Healthcheck={"Test": ["CMD", "true"], "Interval": 5_000_000_000},
        Labels={"org.example.title": "näme", "empty": ""},
        OnBuild=["RUN true"],
        Shell=["/bin/sh", "-ec"],
        StopSignal="SIGINT",
        User="1000:70000",
        Volumes={"/data": {}},
        WorkingDir="/root",
    )
    root = layer([marker])[:1024] + image.layers[0]
    platform = {"os": "linux", "architecture": architecture or imagekit.host_architecture()}
    return replace(image, layers=[root, *image.layers[1:]], platform=platform)


RICH = rich(0)
# With it, an archive has two layers twice and one only once.
SIBLING = busybox("sibling:1", extra=[RICH.layers[1], imagekit.files({"sibling": "1"})])
SIBLING = replace(SIBLING, layers=[RICH.layers[0], *SIBLING.layers[1:]])
