"""Archives between davit and Moby, both ways."""

import asyncio
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.imagekit import busybox, chunks, files
from tests.engine.services.images.conftest import Kit

_START_TIMEOUT = 60


class Moby:
    """A dockerd of its own, without networks."""

    def __init__(self, root: Path) -> None:
        self._socket = f"unix://{root}/s"
        with (root / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "dockerd",
                    f"--data-root={root}/data",
                    f"--exec-root={root}/exec",
                    f"--host={self._socket}",
                    f"--pidfile={root}/pid",
                    "--bridge=none",
                    "--iptables=false",
                    "--ip6tables=false",
                ],
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + _START_TIMEOUT
        while subprocess.run(
            ["docker", "-H", self._socket, "info"], capture_output=True
        ).returncode:
            assert self._process.poll() is None, (root / "log").read_text()
            assert time.monotonic() < end, (root / "log").read_text()
            time.sleep(0.1)

    def __call__(self, *words: str, stdin: bytes = b"") -> bytes:
        run = subprocess.run(
            ["docker", "-H", self._socket, *words], input=stdin, capture_output=True
        )
        assert run.returncode == 0, run.stderr.decode()
        return run.stdout

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


@pytest.fixture
def moby(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moby]:
    moby = Moby(tmp_path_factory.mktemp("moby"))
    yield moby
    moby.stop()


async def test_archives_go_both_ways(kit: Kit, moby: Moby) -> None:
    def save() -> bytes:
        moby("import", "--change", 'CMD ["sh"]', "-", "moby:1", stdin=files({"a": "1"}))
        moby("tag", "moby:1", "team/moby:2")
        return moby("save", "moby:1", "team/moby:2")

    await kit.images.load(chunks(await asyncio.to_thread(save)), kit.lines.append)
    image = kit.images.resolve("moby:1")
    assert image.tags == ("moby:1", "team/moby:2")
    assert (kit.images.directories(image.layers)[0] / "a").read_text() == "1"

    def ids() -> list[str]:
        return (
            moby("images", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}")
            .decode()
            .split("\n")
        )

    assert f"{image.id} moby:1" in await asyncio.to_thread(ids)
    (own,) = await kit.load(busybox("davit:1", extra=[files({"b": "2"})]))
    saved = b"".join([piece async for piece in kit.images.save(["davit:1"])])
    await asyncio.to_thread(lambda: moby("load", stdin=saved))
    assert f"{own.id} davit:1" in await asyncio.to_thread(ids)
