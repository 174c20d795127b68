"""Registries as operators set them up: everything locked, and a cache in front of another."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest

from davit.drivers.registry.client import RegistryClient
from davit.errors import Forbidden, Unavailable
from davit.model.reference import Reference
from davit.model.registry import Credentials
from davit.services.images.push import Pusher
from tests.engine.faultkit import FaultyProxy
from tests.engine.imagekit import busybox
from tests.engine.registrykit import PASSWORD, USER, Shelf, registry
from tests.engine.services.images.conftest import LOOPBACK, Kit, Pulls
from tests.engine.tlskit import Authority

KNOWN = Credentials(USER, PASSWORD)


async def test_authority_client_certificate_and_password(kit: Kit, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    home, mine = authority.sign("registry"), authority.sign("client")
    certificates, served = tmp_path / "certs.d", tmp_path / "served"
    served.mkdir()
    await kit.load(busybox())
    with registry(served, auth=True, tls=home, clients=authority.file) as address:
        name = f"{address}/box:1"
        await kit.images.tag("busybox", name)
        client = RegistryClient(certificates=[certificates])
        pusher = Pusher(kit.images.content, client)

        async def push(credentials: Credentials) -> None:
            await pusher.push(Reference.parse(name), credentials, lambda _: None)

        with pytest.raises(Unavailable, match="the certificate is not trusted"):
            await push(KNOWN)
        (certificates / address).mkdir(parents=True)
        shutil.copy(authority.file, certificates / address / "ca.crt")
        with pytest.raises(
            Unavailable, match=rf"put NAME\.cert and NAME\.key into .*/certs\.d/{address}"
        ):
            await push(KNOWN)
        shutil.copy(mine / "cert.pem", certificates / address / "client.cert")
        shutil.copy(mine / "key.pem", certificates / address / "client.key")
        with pytest.raises(Forbidden, match="no basic auth credentials"):
            await push(Credentials())
        await push(KNOWN)
        other = Kit(tmp_path / "other")
        await other.start()
        assert (await Pulls(other, client).pull(name, credentials=KNOWN)).id == busybox().id
        await other.stop()


async def test_a_cache_in_front_of_a_registry(kit: Kit, tmp_path: Path) -> None:
    for directory in ("origin", "cache"):
        (tmp_path / directory).mkdir()
    with registry(tmp_path / "origin") as origin:
        made = Shelf(origin, "library/box").image("1", busybox())
        async with FaultyProxy(origin).running() as between:
            with ExitStack() as stack:
                opening = registry(tmp_path / "cache", mirrored=f"http://{between.address}")
                # It asks the origin as it starts, and that answers from this event loop.
                cache = await asyncio.to_thread(stack.enter_context, opening)
                client = RegistryClient(LOOPBACK, mirrors=[f"http://{cache}"])
                assert (await Pulls(kit, client).pull("box:1")).tags == ("box:1",)
                asked = between.count("/blobs/")
                assert asked
                # What came through it once it has, also for the next.
                other = Kit(tmp_path / "other")
                await other.start()
                image = await Pulls(other, client).pull(f"box@{made}")
                await other.stop()
                assert image.digests == (f"box@{made}",)
                assert between.count("/blobs/") == asked
