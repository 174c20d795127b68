"""Other people's tools and engines, and what of an image they can be asked."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import stat
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.engine.client import Client
from tests.engine.conftest import Davitd
from tests.engine.mobykit import Moby

# These tools remember for the whole machine which registry has which blob, and then take another
# blob than they were told to. In a mount namespace, each call begins with an empty memory, and
# leaves nothing behind.
_ALONE = 'for d in /run /var/lib /dev/shm; do mount -t tmpfs none $d; done; exec "$@"'


def run(*words: str, stdin: bytes = b"") -> bytes:
    """Run a tool; return what it prints."""
    argv = ["unshare", "--mount", "sh", "-ec", _ALONE, "sh", *words]
    done = subprocess.run(argv, input=stdin, capture_output=True, timeout=100)
    assert done.returncode == 0, (words, done.stderr.decode())
    return done.stdout


def skopeo(verb: str, *words: str) -> bytes:
    """Run skopeo; ``copy`` talks to registries without TLS."""
    plain = ("--src-tls-verify=false", "--dest-tls-verify=false")
    return run("skopeo", verb, *(plain if verb == "copy" else ("--tls-verify=false",)), *words)


class Peer(Protocol):
    """An engine. An image is shown by its ID and the digests that it has by repository."""

    name: str

    def pull(self, name: str) -> None: ...

    def id_of(self, name: str) -> str: ...

    def digests(self, name: str) -> list[str]: ...

    def directories(self, name: str) -> list[str]:
        """The image's layers on disk, the top one first."""
        ...

    def cat(self, name: str, path: str) -> str:
        """Read a file in a container."""
        ...


@dataclass
class Docker:
    """Who speaks the Engine API."""

    name: str
    client: Client

    def pull(self, name: str, **query: str) -> None:
        answer = self.client.post("/images/create", fromImage=name, **query)
        assert answer.status == 200, answer.body
        assert b'"error"' not in answer.body, answer.body

    def load(self, archive: bytes) -> bytes:
        answer = self.client.post("/images/load", archive)
        assert answer.status == 200, answer.body
        assert b'"error"' not in answer.body, answer.body
        return answer.body

    def save(self, *names: str) -> bytes:
        words = "&".join(f"names={name}" for name in names)
        answer = self.client.get(f"/images/get?{words}")
        assert answer.status == 200, answer.body
        return answer.body

    def push(self, image: str, name: str) -> str:
        """Tag an image and push that; return the digest that the engine tells."""
        repository, _, tag = name.rpartition(":")
        assert self.client.post(f"/images/{image}/tag", repo=repository, tag=tag).status == 201
        answer = self.client.request(
            "POST", f"/images/{repository}/push", query={"tag": tag}, headers=_NOBODY
        )
        lines = [json.loads(line) for line in answer.body.splitlines()]
        (told,) = [line["aux"] for line in lines if "aux" in line]
        return str(told["Digest"])

    def inspect(self, name: str) -> Any:
        answer = self.client.get(f"/images/{name}/json")
        assert answer.status == 200, answer.body
        return answer.json

    def id_of(self, name: str) -> str:
        return str(self.inspect(name)["Id"])

    def digests(self, name: str) -> list[str]:
        return sorted(self.inspect(name)["RepoDigests"])

    def directories(self, name: str) -> list[str]:
        return _directories(self.inspect(name))

    def cat(self, name: str, path: str) -> str:
        words = ("docker", "-H", f"unix://{self.client.path}", "run", "--rm", "--network=none")
        done = subprocess.run([*words, name, "cat", path], capture_output=True, timeout=100)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()


@dataclass
class Libpod:
    """podman and buildah, on a storage of their own. program: which of them pulls and pushes."""

    name: str
    root: Path

    def __call__(self, *words: str, program: str = "") -> str:
        where = ("--root", f"{self.root}/storage", "--runroot", f"{self.root}/run")
        return run(program or self.name, *where, "--storage-driver", "overlay", *words).decode()

    def pull(self, name: str) -> None:
        self("pull", "--tls-verify=false", name)

    def push(self, image: str, name: str, *words: str) -> None:
        self("push", "--tls-verify=false", *words, image, f"docker://{name}")

    def inspect(self, name: str) -> Any:
        (shown,) = json.loads(self("image", "inspect", name, program="podman"))
        return shown

    def id_of(self, name: str) -> str:
        return f"sha256:{self.inspect(name)['Id']}"

    def digests(self, name: str) -> list[str]:
        return sorted(self.inspect(name)["RepoDigests"])

    def directories(self, name: str) -> list[str]:
        return _directories(self.inspect(name))

    def cat(self, name: str, path: str) -> str:
        # Not podman run: it wants cgroups as systemd has them.
        box = self("from", "--pull-never", name, program="buildah").strip()
        words = ("run", "--isolation", "chroot", box, "--", "/bin/cat", path)
        return self(*words, program="buildah")


def davit_peer(davitd: Davitd) -> Docker:
    # The version that dockerd speaks, so that answers can be compared.
    return Docker("davit", Client(davitd.socket, version="v1.41"))


def moby_peer(moby: Moby) -> Docker:
    return Docker("dockerd", moby.client)


def assert_same_files(one: Peer, other: Peer, name: str, others: str = "") -> None:
    """Compare an image of two engines, known to the second by another name perhaps."""
    found, wanted = files_of(one, name), files_of(other, others or name)
    for root in (found["."], wanted["."]):
        # dockerd does not set the root directory's time, containers/storage neither that nor modes.
        del root["mtime"], root["mode"]
    assert found == wanted


def files_of(peer: Peer, name: str) -> dict[str, Any]:
    """All files of an image as a container sees them: path → what the kernel says of it."""
    with mounted(peer.directories(name)) as root:
        return walk(root)


@contextlib.contextmanager
def mounted(directories: Sequence[str]) -> Iterator[Path]:
    """Stack layers, read-only. directories: the top one first."""
    # A process holds a mount namespace: what a test that is killed has mounted goes with it.
    lower = ":".join(directories)
    script = f"mount -t tmpfs none /mnt; mkdir /mnt/below /mnt/root; {_mount(lower)}; echo; read x"
    holder = subprocess.Popen(
        ["unshare", "--mount", "sh", "-ec", script],
        # fsconfig(2), which mount(8) uses from 2.39 on, takes 256 bytes at most.
        env={**os.environ, "LIBMOUNT_FORCE_MOUNT2": "always"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"\n", directories
        yield Path(f"/proc/{holder.pid}/root/mnt/root")


def _mount(lower: str) -> str:
    # Overlayfs wants two lower directories when it has no upper one.
    return f"mount -t overlay -o ro,lowerdir={lower}:/mnt/below overlay /mnt/root"


def walk(root: Path) -> dict[str, Any]:
    """Every file below a directory with all that a tar can say of it."""
    found: dict[str, Any] = {}
    names: dict[int, str] = {}
    for top, directories, files in os.walk(root):
        for path in [Path(top), *(Path(top, name) for name in [*directories, *files])]:
            # Children of a directory come before it is walked itself: each once is enough.
            if (name := str(path.relative_to(root))) in found:
                continue
            there = path.lstat()
            found[name] = {
                "mode": stat.filemode(there.st_mode),
                "owner": (there.st_uid, there.st_gid),
                "mtime": there.st_mtime_ns,
                "attributes": {
                    key: os.getxattr(path, key, follow_symlinks=False)
                    for key in os.listxattr(path, follow_symlinks=False)
                },
                "contents": _contents(path, there),
            }
            if there.st_nlink > 1 and not stat.S_ISDIR(there.st_mode):
                found[name]["same as"] = names.setdefault(there.st_ino, name)
    return found


def members(archive: bytes) -> dict[str, bytes]:
    """The files of an archive by their paths."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {
            entry.name: file.read() for entry in tar if (file := tar.extractfile(entry)) is not None
        }


def _contents(path: Path, there: os.stat_result) -> str | int:
    if stat.S_ISREG(there.st_mode):
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return os.readlink(path) if stat.S_ISLNK(there.st_mode) else there.st_rdev


def _directories(shown: Any) -> list[str]:
    data = shown["GraphDriver"]["Data"]
    lower = data.get("LowerDir", "")
    return [data["UpperDir"], *(lower.split(":") if lower else [])]


_NOBODY = {"X-Registry-Auth": "e30="}  # {}; dockerd wants it
