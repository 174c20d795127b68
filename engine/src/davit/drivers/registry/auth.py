"""Who we are to a registry: answers to its challenges.

Source: distribution, "Token Authentication Specification" and "OAuth2 token authentication".
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from http import HTTPStatus

import aiohttp
import msgspec

from davit.drivers.registry.answers import words
from davit.drivers.registry.challenge import Challenge
from davit.drivers.registry.transport import Transport
from davit.errors import Unauthorized, Unavailable
from davit.model.registry import Credentials

_CLIENT = "docker"


class Token(msgspec.Struct):
    """What a token server answers; ``access_token`` is what OAuth calls it."""

    token: str = ""
    access_token: str = ""
    refresh_token: str = ""


async def authorization(
    transport: Transport,
    challenge: Challenge,
    credentials: Credentials,
    *,
    trust: ssl.SSLContext,
    scopes: Sequence[str] = (),
    offline: bool = False,
) -> tuple[str, str]:
    """Return the value of ``Authorization`` that answers a challenge, and a refresh token if any.

    scopes: each ``repository:NAME:pull,push``. offline: ask for a token that outlives the password.
    Raises Unauthorized with the server's words; Unavailable.
    """
    if credentials.registry_token:
        return f"Bearer {credentials.registry_token}", ""
    if challenge.scheme == "basic":
        return credentials.basic, ""
    realm = challenge.parameters.get("realm", "")
    if not realm:
        raise Unavailable("the registry asks for a token and does not say where to get one")
    parameters = {"service": challenge.parameters.get("service", ""), "client_id": _CLIENT}
    if credentials.identity_token:
        form = {
            **parameters,
            **({"scope": " ".join(scopes)} if scopes else {}),
            "grant_type": "refresh_token",
            "refresh_token": credentials.identity_token,
        }
        sending = transport.request("POST", realm, data=form, trust=trust)
    else:
        headers = {"Authorization": credentials.basic} if credentials.username else {}
        if credentials.username:
            parameters["account"] = credentials.username
        if offline:
            parameters["offline_token"] = "true"
        query = [*parameters.items(), *(("scope", scope) for scope in scopes)]
        sending = transport.request("GET", realm, headers=headers, query=query, trust=trust)
    async with sending as answer:
        await refuse(answer)
        given = await _token(answer, realm)
    return f"Bearer {given.token or given.access_token}", given.refresh_token


async def refuse(answer: aiohttp.ClientResponse) -> None:
    """Raise what an answer other than 2xx means: Unauthorized or Unavailable."""
    if answer.status < HTTPStatus.BAD_REQUEST:
        return
    _, said = words(await answer.read())
    if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise Unauthorized(f'Get "{answer.url}": unauthorized: {said or "authentication required"}')
    reason = f"{answer.status} {answer.reason}" + (f": {said}" if said else "")
    raise Unavailable(f"login attempt to {answer.url} failed with status: {reason}")


async def _token(answer: aiohttp.ClientResponse, realm: str) -> Token:
    try:
        token = msgspec.json.decode(await answer.read(), type=Token)
    except msgspec.MsgspecError as error:
        raise Unavailable(f"the token server {realm} answers what is no token: {error}") from None
    if not token.token and not token.access_token:
        raise Unavailable(f"the token server {realm} gives no token")
    return token
