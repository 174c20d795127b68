# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Registries: who a task is there, and what their refusals mean.

Source: Docker's ``config.json`` (``docker login``) and the header ``X-Registry-Auth``.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import tempfile
from contextlib import suppress
from typing import Any, Dict

from ansible_collections.davit.fleet.plugins.module_utils._errors import (
    EngineError,
    FleetError,
    Invalid,
)

ARGUMENTS: dict[str, dict[str, Any]] = {
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "login_file": {"type": "path"},
}
HUB = "https://index.docker.io/v1/"
_HUB_NAMES = ("", "docker.io", "index.docker.io", "registry-1.docker.io")

Auth = Dict[str, str]
"""AuthConfig of the Engine API: username, password or identitytoken, serveraddress."""

# What registries and engines say, and what helps. The first that fits counts.
_HELP = (
    (
        r"x509|certificate is not trusted|certificate signed by",
        "put the certificate of the authority that signed the registry's into "
        "/etc/davit/certs.d/{host}/ca.crt on the engine's host (Moby's is "
        "/etc/docker/certs.d/{host}/ca.crt)",
    ),
    (
        r"HTTP response to HTTPS client|does not speak TLS",
        "the registry speaks plain HTTP: add {host} to the engine's option insecure-registry",
    ),
    (
        r"unauthorized|denied|authentication required|no basic auth|docker login",
        "check the name, and {credentials}",
    ),
    (
        r"connection refused|no such host|not known|no route|unreachable|timeout|in time"
        r"|connect:|connect call failed|request canceled",
        "the engine's host must reach the registry at {host}",
    ),
)
_GIVE = "give username and password, or log in with davit.fleet.login"
_CHECK = "the credentials that were used, those of {username}"


def server(name: str) -> str:
    """The registry of an image, as ``config.json`` calls it: ``host[:port]``, or Hub's URL.

    >>> server("web:1"), server("127.0.0.1:5000/web")
    ('https://index.docker.io/v1/', '127.0.0.1:5000')
    """
    first, slash, _rest = name.partition("/")
    is_host = slash and ("." in first or ":" in first or first == "localhost")
    return address(first if is_host else "")


def address(registry: str) -> str:
    """The name of a registry in ``config.json``: one for all the ways to write it."""
    host = registry.partition("://")[2] or registry
    host = host.partition("/")[0].lower()
    return HUB if host in _HUB_NAMES else host


def auth(name: str, options: dict[str, Any]) -> Auth:
    """Who the task is at an image's registry; empty for nobody. Raises Invalid."""
    where = server(name)
    if options.get("username") or options.get("password"):
        if not (options.get("username") and options.get("password")):
            raise Invalid("username: give it together with password")
        return {
            "username": options["username"],
            "password": options["password"],
            "serveraddress": where,
        }
    return logins(login_file(options)).get(where, {})


def header(credentials: dict[str, Any]) -> str:
    """Encode for ``X-Registry-Auth`` and ``X-Registry-Config``."""
    return base64.urlsafe_b64encode(json.dumps(credentials).encode()).decode()


def login_file(options: dict[str, Any]) -> str:
    """Where credentials are kept: what the task says, or Docker's own file of the user."""
    if options.get("login_file"):
        return str(options["login_file"])
    directory = os.environ.get("DOCKER_CONFIG") or os.path.join(os.path.expanduser("~"), ".docker")
    return os.path.join(directory, "config.json")


def logins(path: str) -> dict[str, Auth]:
    """The credentials in a file, by registry. Raises Invalid."""
    found = {}
    for name, entry in (read(path).get("auths") or {}).items():
        # A helper keeps what an empty entry stands for.
        if not entry:
            continue
        where = address(name)
        try:
            found[where] = {**decoded(entry), "serveraddress": where}
        except (ValueError, AttributeError):
            raise Invalid(f"login_file: {path} has a damaged entry for {name}") from None
    return found


def entry(username: str, password: str, token: str) -> dict[str, str]:
    """What ``docker login`` writes for a registry."""
    shown = "" if token else password
    made = {"auth": base64.b64encode(f"{username}:{shown}".encode()).decode()}
    return {**made, "identitytoken": token} if token else made


def read(path: str) -> dict[str, Any]:
    """Docker's file, empty when there is none. Raises Invalid."""
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Invalid(f"login_file: {path} cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise Invalid(f"login_file: {path} is not a JSON object")
    return found


def write(path: str, content: dict[str, Any]) -> None:
    """Put the file in place, only for its owner. Raises FleetError."""
    # A link is somebody's way to keep it elsewhere.
    path = os.path.realpath(path)
    directory = os.path.dirname(path)
    temporary = ""
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=directory, prefix=".davit-")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent="\t")
            file.write("\n")
            with suppress(FileNotFoundError):
                status = os.stat(path)
                os.chown(temporary, status.st_uid, status.st_gid)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            with suppress(OSError):
                os.unlink(temporary)
        raise FleetError(f"login_file: cannot write {path}: {error}") from None


def explain(error: EngineError, name: str, used: Auth) -> FleetError:
    """Add to a registry's refusal what helps. used: the credentials."""
    where = server(name)
    known = {
        "host": "docker.io" if where == HUB else where,
        "credentials": _CHECK.format(username=used["username"]) if used.get("username") else _GIVE,
    }
    for words, help_text in _HELP:
        if re.search(words, error.message, re.IGNORECASE):
            return FleetError(f"{error.message.rstrip('. ')}; {help_text.format(**known)}")
    return FleetError(error.message)


def decoded(entry: dict[str, Any]) -> Auth:
    """What an entry of the file says. Raises ValueError."""
    try:
        text = base64.b64decode(entry.get("auth") or "", validate=True).decode()
    except (binascii.Error, TypeError) as error:
        raise ValueError(str(error)) from None
    username, _colon, password = text.partition(":")
    made = {"username": username or entry.get("username", "")}
    if entry.get("identitytoken"):
        return {**made, "identitytoken": entry["identitytoken"]}
    return {**made, "password": password.rstrip("\0") or entry.get("password", "")}
