"""HTTP to a registry: over TLS, and where that is allowed also without."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from davit import __version__
from davit.drivers.registry import trust as trusting
from davit.drivers.registry.reasons import reason, refuses_us
from davit.drivers.registry.retry import Temporary
from davit.errors import Unavailable

logger = logging.getLogger(__name__)

_USER_AGENT = f"davit/{__version__}"
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=15, sock_read=60)
# Of the network: the more at once, the fewer the turns of the event loop.
_BUFFER = 512 << 10
# Docker Hub's names, and where its registry is.
_HUB = ("", "docker.io", "index.docker.io")
_HUB_REGISTRY = "registry-1.docker.io"

Query = Mapping[str, str] | Sequence[tuple[str, str]]


class Transport:
    """Requests to registries. Use as an asynchronous context manager.

    insecure: hosts, ``host:port`` and CIDRs that are spoken to without verified TLS.
    certificates: directories with one for each host that has certificates of its own.
    """

    def __init__(self, insecure: Iterable[str] = (), certificates: Iterable[Path] = ()) -> None:
        self._insecure = tuple(insecure)
        self._certificates = tuple(certificates)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Transport:
        self._session = aiohttp.ClientSession(
            # What is verified is the bytes as they are stored.
            headers={"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"},
            auto_decompress=False,
            read_bufsize=_BUFFER,
            timeout=_TIMEOUT,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    @contextlib.asynccontextmanager
    async def request(
        self,
        method: str,
        url: str,
        *,
        trust: ssl.SSLContext,
        headers: Mapping[str, str] | None = None,
        query: Query | None = None,
        data: Mapping[str, str] | AsyncIterator[bytes] | bytes | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request. Raises Unavailable naming the URL when there is no answer.

        It is Temporary when the server was there and the connection failed later.
        """
        if self._session is None:
            raise RuntimeError("requests are sent inside the transport's context")
        try:
            async with self._session.request(
                method,
                # Locations of uploads are to be used as they are given.
                URL(url, encoded=True),
                headers=headers,
                params=query,
                data=data,
                ssl=trust,
                proxy=_proxy(url),
            ) as answer:
                yield answer
        except aiohttp.ClientConnectorError as error:
            raise Unavailable(self._failed(method, url, error)) from error
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            kind = Unavailable if refuses_us(error) else Temporary
            raise kind(self._failed(method, url, error)) from error

    def _failed(self, method: str, url: str, error: BaseException) -> str:
        return f'{method.capitalize()} "{url}": {reason(error, url, self._certificates)}'

    async def base(self, host: str) -> tuple[str, ssl.SSLContext]:
        """Return the URL at which a registry answers, and the TLS settings for it.

        Raises InvalidParameter when its certificates in ``certs.d`` are wrong.
        """
        secure = f"https://{host}"
        if not await self._is_insecure(host):
            return secure, await self.trust(host, verify=True)
        trust = await self.trust(host, verify=False)
        try:
            async with self.request("GET", f"{secure}/v2/", trust=trust):
                return secure, trust
        except Unavailable as error:
            logger.debug("%s; trying without TLS", error.message)
            return f"http://{host}", trust

    async def trust(self, host: str, *, verify: bool) -> ssl.SSLContext:
        return await asyncio.to_thread(trusting.load, self._certificates, host, verify=verify)

    async def _is_insecure(self, host: str) -> bool:
        name = urlsplit(f"//{host}").hostname or host
        if host in self._insecure or name in self._insecure:
            return True
        networks = []
        for entry in self._insecure:
            with contextlib.suppress(ValueError):
                networks.append(ipaddress.ip_network(entry, strict=False))
        if not networks:
            return False
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except OSError:
            return False
        addresses = {ipaddress.ip_address(entry[4][0]) for entry in found}
        return any(address in network for address in addresses for network in networks)


def hostname(address: str) -> str:
    """Return ``host[:port]`` of what users give as a registry's address; Docker Hub's is its own.

    >>> hostname("https://index.docker.io/v1/")
    'registry-1.docker.io'
    """
    name = address.partition("://")[2] or address
    name = name.partition("/")[0].lower()
    return _HUB_REGISTRY if name in _HUB else name


def same_origin(first: URL, second: URL) -> bool:
    """Whether scheme, host and port are the same; a port may be left out when it is the usual."""
    one, other = ((url.scheme, (url.host or "").lower(), url.port) for url in (first, second))
    return one == other


def _proxy(url: str) -> str | None:
    """The proxy that ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY`` name for an URL."""
    parts = urlsplit(url)
    proxies = getproxies()
    if proxy_bypass(parts.netloc):
        return None
    return proxies.get(parts.scheme)
