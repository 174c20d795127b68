# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Names of registries, Docker's file of logins, and what refusals mean."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from ansible_collections.davit.fleet.plugins.module_utils import _registry
from ansible_collections.davit.fleet.plugins.module_utils._errors import EngineError, Invalid

HUB = "https://index.docker.io/v1/"
SESAME = base64.b64encode(b"captain:se:same").decode()


@pytest.mark.parametrize(
    ("name", "server"),
    [
        ("web", HUB),
        ("library/web:1", HUB),
        ("docker.io/library/web:1", HUB),
        ("localhost/web", "localhost"),
        ("r.example/web@sha256:0", "r.example"),
        ("127.0.0.1:5000/a/b:1", "127.0.0.1:5000"),
    ],
)
def test_registry_of_an_image(name: str, server: str) -> None:
    assert _registry.server(name) == server


@pytest.mark.parametrize("name", ["docker.io", "index.docker.io", "https://index.docker.io/v1/"])
def test_hub_has_one_name(name: str) -> None:
    assert _registry.address(name) == HUB


def test_logins_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    auths = {
        "https://r.example/v2/": {"auth": SESAME},
        "token.example": {"auth": base64.b64encode(b"mate:").decode(), "identitytoken": "t"},
        "helper.example": {},
    }
    path.write_text(json.dumps({"auths": auths}))
    options = {"login_file": str(path)}
    assert _registry.auth("r.example/web", options) == {
        "username": "captain",
        "password": "se:same",
        "serveraddress": "r.example",
    }
    assert _registry.auth("token.example/web", options)["identitytoken"] == "t"
    assert _registry.auth("helper.example/web", options) == {}
    assert _registry.auth("web", options) == {}


def test_task_goes_before_the_file(tmp_path: Path) -> None:
    options = {"login_file": str(tmp_path / "none"), "username": "u", "password": "p"}
    assert _registry.auth("r.example/web", options)["username"] == "u"
    with pytest.raises(Invalid, match="together"):
        _registry.auth("web", {"username": "u"})


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"auths": {"r.example": {"auth": "!"}}}', '{"auths": {"r.example": 1}}']
)
def test_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(Invalid, match=str(path)):
        _registry.auth("r.example/web", {"login_file": str(path)})


def test_file_is_written_through_links_and_for_its_owner(tmp_path: Path) -> None:
    real = tmp_path / "real.json"
    link = tmp_path / "deep" / "config.json"
    link.parent.mkdir()
    link.symlink_to(real)
    _registry.write(str(link), {"auths": {}})
    assert (link.is_symlink(), real.stat().st_mode & 0o777) == (True, 0o600)
    _registry.write(str(tmp_path / "new/config.json"), {})
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("message", "used", "help_text"),
    [
        # Moby's words, and davit's.
        (
            'Get "https://r.example/v2/": x509: certificate signed by unknown authority',
            {},
            "/etc/davit/certs.d/r.example/ca.crt",
        ),
        (
            'Get "https://r.example/v2/": the certificate is not trusted: self-signed certificate',
            {},
            "/etc/docker/certs.d/r.example/ca.crt",
        ),
        ("http: server gave HTTP response to HTTPS client", {}, "insecure-registry"),
        ('Get "https://r.example/v2/": the server does not speak TLS', {}, "insecure-registry"),
        ("no basic auth credentials", {}, "log in with davit.fleet.login"),
        ("unauthorized: authentication required", {"username": "mate"}, "those of mate"),
        ("dial tcp 127.0.0.1:1: connect: connection refused", {}, "must reach the registry at r."),
    ],
)
def test_refusals_tell_what_helps(message: str, used: dict[str, str], help_text: str) -> None:
    told = str(_registry.explain(EngineError("GET /x", 500, message), "r.example/web", used))
    assert told.startswith(message)
    assert help_text in told


def test_other_words_stay_as_they_are() -> None:
    error = EngineError("GET /x", 404, "manifest for r.example/web:1 not found: manifest unknown")
    assert str(_registry.explain(error, "r.example/web:1", {})) == error.message
