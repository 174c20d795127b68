"""The image of most tests: the distribution's static busybox."""

from __future__ import annotations

import io
import subprocess
import tarfile

from tests.engine.client import Client

_BUSYBOX = "/bin/busybox"


def load_busybox(client: Client) -> None:
    """Make the image busybox:latest on an engine."""
    query = {"fromSrc": "-", "repo": "busybox", "tag": "latest", "changes": "CMD sh"}
    answer = client.post("/images/create", busybox_tar(), **query)
    assert answer.status == 200, answer.body
    assert b'"error"' not in answer.body, answer.body


def busybox_tar() -> bytes:
    """A root file system: the static busybox with a link for each of its applets."""
    applets = subprocess.run([_BUSYBOX, "--list"], capture_output=True, check=True, text=True)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in ("bin", "etc", "root", "tmp", "var", "var/www"):
            directory = tarfile.TarInfo(name)
            directory.type, directory.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(directory)
        tar.add(_BUSYBOX, "bin/busybox")
        for applet in applets.stdout.split():
            if applet != "busybox":
                link = tarfile.TarInfo(f"bin/{applet}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
        for name, text in (
            ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n"),
            ("etc/group", "root:x:0:\nuser:x:1000:\nextra:x:2000:user\n"),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()
