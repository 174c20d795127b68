# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""The Engine API's verbs that the modules use, for davit and Moby alike (API 1.24 to 1.51)."""

from __future__ import annotations

import http.client
import json
import os
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

from ansible_collections.davit.fleet.plugins.module_utils import _registry
from ansible_collections.davit.fleet.plugins.module_utils._errors import EngineError, NotFound
from ansible_collections.davit.fleet.plugins.module_utils._http import Connection, Target

NEWEST = (1, 51)
OLDEST = (1, 24)
# An engine unpacks a large image for minutes without saying a word.
_SLOW = 600
_BLOCK = 1 << 20
# What davit and Moby say of the beginning of several IDs.
_AMBIGUOUS = ("ultiple IDs found", "is ambiguous")
# What registries say, by way of davit and Moby, of a name that is not there.
_UNKNOWN = re.compile("manifest unknown|name unknown|not found: |NAME_UNKNOWN", re.IGNORECASE)
Json = Any


class Engine:
    """One engine. Requests go over one connection, one after the other."""

    def __init__(self, target: Target) -> None:
        self.host = target.host
        self._connection = Connection(target)
        self._prefix = ""
        # Until it is agreed on; an engine that is yet to come has none.
        self.api_version = (0, 0)

    def close(self) -> None:
        self._connection.close()

    def get(self, *path: str, **query: Any) -> Json:
        return self._call("GET", path, query)

    def find(self, *path: str, **query: Any) -> Json | None:
        """Like :meth:`get`, None when there is no such object."""
        try:
            return self._call("GET", path, query)
        except NotFound:
            return None
        except EngineError as error:
            # The name is nobody's, and the beginning of several IDs.
            if error.status == 400 and any(word in error.message for word in _AMBIGUOUS):
                return None
            raise

    def post(
        self,
        *path: str,
        body: Json = None,
        patience: int = 0,
        auth: dict[str, str] | None = None,
        **query: Any,
    ) -> Json:
        """A 304 (nothing to do) is as good as a 200.

        patience: seconds beyond the timeout. auth: an AuthConfig for the registry.
        """
        self._connection.allow(patience)
        try:
            return self._call("POST", path, query, body, _signed(auth))
        finally:
            self._connection.allow(0)

    def delete(self, *path: str, **query: Any) -> Json:
        return self._call("DELETE", path, query)

    def load(self, parts: list[str]) -> list[dict[str, Any]]:
        """Send an image archive, the files of this host in a row; return the progress messages."""
        headers = {
            "Content-Type": "application/x-tar",
            "Content-Length": str(sum(map(os.path.getsize, parts))),
        }
        return self._stream("POST", ("images", "load"), {"quiet": True}, _blocks(parts), headers)

    def keeps_archives_whole(self) -> bool:
        """Whether it loads an image only with all of its layers (Moby on containerd's store)."""
        status = self.get("info").get("DriverStatus") or []
        return any("containerd.snapshotter" in str(value) for _key, value in status)

    def pull(
        self, reference: str, platform: str = "", auth: dict[str, str] | None = None
    ) -> list[dict[str, Any]]:
        """Have the engine pull an image; return the progress messages. auth: an AuthConfig."""
        query = {"fromImage": reference}
        if platform:
            query["platform"] = platform
        return self._stream("POST", ("images", "create"), query, None, _signed(auth))

    def push(self, repository: str, tag: str, auth: dict[str, str]) -> list[dict[str, Any]]:
        """Have the engine push an image; return the progress messages."""
        path = ("images", repository, "push")
        return self._stream("POST", path, {"tag": tag}, None, _signed(auth, always=True))

    def build(
        self, context: str, query: dict[str, Any], logins: dict[str, dict[str, str]]
    ) -> list[dict[str, Any]]:
        """Build an image of a context, a tar on this host; return the progress messages."""
        headers = {
            "Content-Type": "application/x-tar",
            "Content-Length": str(os.path.getsize(context)),
            "X-Registry-Config": _registry.header(logins),
        }
        return self._stream("POST", ("build",), query, _blocks([context]), headers)

    def remote_digest(self, reference: str, auth: dict[str, str]) -> str | None:
        """The digest that an image has in its registry, None when it is not there."""
        try:
            return str(self.distribution(reference, auth)["Descriptor"]["digest"])
        except EngineError as error:
            if _UNKNOWN.search(error.message):
                return None
            raise

    def distribution(self, reference: str, auth: dict[str, str]) -> dict[str, Any]:
        """What a registry says of an image: ``Descriptor`` and ``Platforms``."""
        path = ("distribution", reference, "json")
        answer: dict[str, Any] = self._call("GET", path, {}, headers=_signed(auth))
        return answer

    def negotiate(self) -> None:
        """Agree on the newest version that both sides speak."""
        answer = self._connection.request("GET", "/_ping")
        answer.read()
        theirs = _version(answer.headers.get("Api-Version", "1.24"))
        if theirs < OLDEST:
            raise EngineError(
                f"engine at {self.host}", 400, f"its API is {_dotted(theirs)}; 1.24 is needed"
            )
        self.api_version = min(theirs, NEWEST)
        self._prefix = f"/v{_dotted(self.api_version)}"

    def _stream(
        self,
        method: str,
        path: tuple[str, ...],
        query: dict[str, Any],
        body: Any,
        headers: dict[str, str],
    ) -> list[dict[str, Any]]:
        what = f"{method} /{'/'.join(path)}"
        self._connection.allow(_SLOW)
        try:
            answer = self._send(method, path, query, body, headers)
            text = answer.read()
        finally:
            self._connection.allow(0)
        _check(what, answer, _parsed(text) if answer.status >= 400 else {})
        messages = [json.loads(line) for line in text.splitlines() if line.strip()]
        for message in messages:
            if "error" in message:
                raise EngineError(what, 500, message["error"], printed(messages))
        return messages

    def _call(
        self,
        method: str,
        path: tuple[str, ...],
        query: dict[str, Any],
        body: Json = None,
        headers: dict[str, str] | None = None,
    ) -> Json:
        headers = dict(headers or {})
        if body is not None:
            headers["Content-Type"] = "application/json"
        data = json.dumps(body).encode() if body is not None else None
        answer = self._send(method, path, query, data, headers)
        content = _parsed(answer.read())
        _check(f"{method} /{'/'.join(path)}", answer, content)
        return content

    def _send(
        self,
        method: str,
        path: tuple[str, ...],
        query: dict[str, Any],
        body: Any,
        headers: dict[str, str],
    ) -> http.client.HTTPResponse:
        if not self._prefix:
            self.negotiate()
        target = self._prefix + "".join(f"/{quote(part, safe='/:@')}" for part in path)
        if query:
            target += "?" + urlencode({key: _text(value) for key, value in query.items()})
        return self._connection.request(method, target, body, headers)


class AbsentEngine(Engine):
    """The engine that a host is yet to get: it holds nothing, and takes no change."""

    def get(self, *path: str, **query: Any) -> Json:
        return {"Volumes": []} if path == ("volumes",) else []

    def find(self, *path: str, **query: Any) -> Json | None:
        return None

    def keeps_archives_whole(self) -> bool:
        return False


def printed(messages: list[dict[str, Any]]) -> str:
    """What the steps of a build have printed."""
    return "".join(str(message.get("stream", "")) for message in messages)


def _signed(auth: dict[str, str] | None, always: bool = False) -> dict[str, str]:
    """The header that tells a registry who we are. always: Moby wants one of every push."""
    return {"X-Registry-Auth": _registry.header(auth or {})} if auth or always else {}


def _blocks(parts: list[str]) -> Iterator[bytes]:
    for part in parts:
        with open(part, "rb") as file:
            while data := file.read(_BLOCK):
                yield data


def _parsed(text: bytes) -> Json:
    return json.loads(text) if text[:1] in (b"{", b"[") else text.decode()


def _check(what: str, answer: http.client.HTTPResponse, content: Json) -> None:
    if answer.status < 400:
        return
    message = content.get("message", "") if isinstance(content, dict) else str(content)
    kind = NotFound if answer.status == 404 else EngineError
    raise kind(what, answer.status, message.strip() or f"status {answer.status}")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)


def _version(text: str) -> tuple[int, int]:
    major, _sep, minor = text.partition(".")
    return int(major), int(minor or 0)


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
