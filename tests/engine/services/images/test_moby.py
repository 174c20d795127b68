"""Archives between davit and Moby, both ways."""

import asyncio
from pathlib import Path

from davit.drivers.registry.client import RegistryClient
from davit.model.image import Progress
from davit.model.reference import Reference
from davit.model.registry import Credentials
from davit.services.images.pull import Puller
from davit.services.images.push import Pusher
from tests.engine.imagekit import busybox, chunks, files
from tests.engine.mobykit import Moby
from tests.engine.registrykit import Shelf, registry
from tests.engine.services.images.conftest import Kit


async def test_archives_go_both_ways(kit: Kit, moby: Moby) -> None:
    def save() -> bytes:
        moby.pipe("import", "--change", 'CMD ["sh"]', "-", "moby:1", stdin=files({"a": "1"}))
        moby.docker("tag", "moby:1", "team/moby:2")
        return moby.pipe("save", "moby:1", "team/moby:2")

    await kit.images.load(chunks(await asyncio.to_thread(save)), kit.lines.append)
    image = kit.images.resolve("moby:1")
    assert image.tags == ("moby:1", "team/moby:2")
    assert (kit.images.directories(image.layers)[0] / "a").read_text() == "1"

    def ids() -> list[str]:
        return moby.docker(
            "images", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}"
        ).split("\n")

    assert f"{image.id} moby:1" in await asyncio.to_thread(ids)
    (own,) = await kit.load(busybox("davit:1", extra=[files({"b": "2"})]))
    saved = b"".join([piece async for piece in kit.images.save(["davit:1"])])
    await asyncio.to_thread(lambda: moby.pipe("load", stdin=saved))
    assert f"{own.id} davit:1" in await asyncio.to_thread(ids)


async def test_a_registry_between_them(moby: Moby, kit: Kit, tmp_path: Path) -> None:
    """What davit pushes dockerd pulls, pushes under another name with the same digest, and back."""
    built = busybox(extra=[files({"a": "b"})])
    with registry(tmp_path) as address:
        client, lines = RegistryClient(["127.0.0.0/8"]), list[Progress]()
        (loaded,) = await kit.load(built)
        await kit.images.tag(loaded.id, f"{address}/davit:1")
        pusher = Pusher(kit.images.content, client)
        await pusher.push(Reference.parse(f"{address}/davit:1"), Credentials(), lines.append)

        def pass_on() -> str:
            moby.docker("pull", f"{address}/davit:1")
            moby.docker("tag", f"{address}/davit:1", f"{address}/moby:1")
            moby.docker("push", f"{address}/moby:1")
            return moby.docker("inspect", "--format", "{{.Id}}", f"{address}/moby:1").strip()

        assert await asyncio.to_thread(pass_on) == built.id
        shelves = (Shelf(address, "davit"), Shelf(address, "moby"))
        assert len({await asyncio.to_thread(shelf.raw, "1") for shelf in shelves}) == 1
        await kit.images.remove(loaded.id, force=True)
        puller = Puller(kit.images.content, client)
        pulled = await puller.pull(
            Reference.parse(f"{address}/moby:1"), "", Credentials(), lines.append
        )
        assert pulled.id == built.id
