"""HTTP to a registry: over TLS, and where that is allowed also without."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from davit import __version__
from davit.errors import Unavailable

logger = logging.getLogger(__name__)

_USER_AGENT = f"davit/{__version__}"
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=15, sock_read=60)
# Docker Hub's names, and where its registry is.
_HUB = ("", "docker.io", "index.docker.io")
_HUB_REGISTRY = "registry-1.docker.io"


class Transport:
    """Requests to registries. Use as an asynchronous context manager.

    insecure: hosts, ``host:port`` and CIDRs that are spoken to without verified TLS.
    """

    def __init__(self, insecure: Iterable[str] = ()) -> None:
        self._insecure = tuple(insecure)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Transport:
        # Not aiohttp's own context: davitd keeps the machine's certificates out of that one.
        trusted = await asyncio.to_thread(ssl.create_default_context)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trusted),
            headers={"User-Agent": _USER_AGENT},
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
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        verify: bool = True,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request. Raises Unavailable naming the URL when there is no answer."""
        if self._session is None:
            raise RuntimeError("requests are sent inside the transport's context")
        try:
            async with self._session.request(
                method,
                url,
                headers=headers,
                params=query,
                data=form,
                ssl=verify,
                proxy=_proxy(url),
            ) as answer:
                yield answer
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise Unavailable(f'{method.capitalize()} "{url}": {_reason(error)}') from error

    async def base(self, host: str) -> tuple[str, bool]:
        """Return the URL at which a registry answers, and whether its certificate counts.

        Raises Unavailable when it does not answer.
        """
        secure = f"https://{host}"
        if not await self._is_insecure(host):
            return secure, True
        try:
            async with self.request("GET", f"{secure}/v2/", verify=False):
                return secure, False
        except Unavailable as error:
            logger.debug("%s; trying without TLS", error.message)
            return f"http://{host}", False

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


def _proxy(url: str) -> str | None:
    """The proxy that ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY`` name for an URL."""
    parts = urlsplit(url)
    proxies = getproxies()
    if proxy_bypass(parts.netloc):
        return None
    return proxies.get(parts.scheme)


def _reason(error: BaseException) -> str:
    if isinstance(error, asyncio.TimeoutError):
        return "the registry did not answer in time"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"the certificate is not trusted: {_verification(error.certificate_error)}"
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return "the server does not speak TLS"
    if isinstance(error, aiohttp.ClientConnectorError):
        return str(error.os_error.strerror or error.os_error)
    return str(error) or type(error).__name__


def _verification(error: Exception) -> str:
    return error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else str(error)
