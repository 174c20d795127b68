"""Registries with certificates of their own: authorities, client certificates, insecure ones."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from davit.drivers.registry.client import RegistryClient
from davit.errors import InvalidParameter, Unavailable
from davit.model.registry import Credentials
from tests.engine.imagekit import busybox
from tests.engine.registrykit import Shelf, registry
from tests.engine.tlskit import Authority


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("registry")
    with registry(directory) as plain:
        Shelf(plain, "box").image("1", busybox())
    return directory


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def address(storage: Path, authority: Authority) -> Iterator[str]:
    with registry(storage, tls=authority.sign("registry")) as found:
        yield found


@pytest.fixture(scope="module")
def strict(storage: Path, authority: Authority) -> Iterator[str]:
    home = authority.sign("strict")
    with registry(storage, tls=home, clients=authority.file) as found:
        yield found


async def fetch(client: RegistryClient, address: str) -> bytes:
    async with client.repository(address, "box", Credentials()) as repository:
        return (await repository.manifest("1")).body


async def test_an_unknown_authority(address: str) -> None:
    with pytest.raises(Unavailable, match="the certificate is not trusted"):
        await fetch(RegistryClient(), address)


async def test_insecure_by_host_and_by_network(address: str) -> None:
    for entry in (address, "127.0.0.1", "127.0.0.0/8"):
        assert await fetch(RegistryClient([entry]), address)
    with pytest.raises(Unavailable, match="the certificate is not trusted"):
        await fetch(RegistryClient(["127.0.0.1:1", "10.0.0.0/8"]), address)


async def test_its_own_authority(tmp_path: Path, authority: Authority, address: str) -> None:
    # The second directory is Docker's: it counts where the first knows nothing.
    directory = tmp_path / "docker" / address
    directory.mkdir(parents=True)
    shutil.copy(authority.file, directory / "ca.crt")
    client = RegistryClient(certificates=[tmp_path / "davit", tmp_path / "docker"])
    assert await fetch(client, address)
    (tmp_path / "davit" / address).mkdir(parents=True)
    with pytest.raises(Unavailable, match="the certificate is not trusted"):
        await fetch(client, address)


async def test_a_client_certificate(tmp_path: Path, authority: Authority, strict: str) -> None:
    directory = tmp_path / strict
    directory.mkdir()
    shutil.copy(authority.file, directory / "ca.crt")
    client = RegistryClient(certificates=[tmp_path])
    with pytest.raises(Unavailable, match="certificate"):
        await fetch(client, strict)
    home = authority.sign("client")
    shutil.copy(home / "cert.pem", directory / "client.cert")
    with pytest.raises(InvalidParameter, match=r"missing client.key for client.cert in"):
        await fetch(client, strict)
    shutil.copy(home / "key.pem", directory / "client.key")
    assert await fetch(client, strict)
    # It is shown to an insecure registry, too.
    assert await fetch(RegistryClient([strict], certificates=[tmp_path]), strict)


async def test_files_that_are_no_certificates(tmp_path: Path, address: str) -> None:
    (tmp_path / address).mkdir()
    (tmp_path / address / "ca.crt").write_text("no certificate")
    with pytest.raises(InvalidParameter, match=r"ca\.crt cannot be used"):
        await fetch(RegistryClient(certificates=[tmp_path]), address)
