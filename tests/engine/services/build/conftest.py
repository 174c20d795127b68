"""Builds of small Dockerfiles, over the API."""

from __future__ import annotations

import base64
import http.server
import io
import json
import tarfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.engine.client import Answer
from tests.engine.conftest import Davitd


@dataclass(frozen=True)
class Result:
    """What a build said. text: its output; error: why it failed."""

    answer: Answer
    lines: list[dict[str, Any]]

    @property
    def text(self) -> str:
        return "".join(line.get("stream", "") for line in self.lines)

    @property
    def error(self) -> str:
        return next((line["error"] for line in self.lines if "error" in line), "")

    @property
    def id(self) -> str:
        found = [line["aux"]["ID"] for line in self.lines if "aux" in line]
        assert found, self.text + self.error
        return str(found[-1])

    @property
    def hits(self) -> int:
        return self.text.count("Using cache")


def context(dockerfile: str, files: Mapping[str, str | bytes | tarfile.TarInfo]) -> bytes:
    """An archive. A member that is given as a TarInfo has no contents."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in {"Dockerfile": dockerfile, **files}.items():
            if isinstance(content, tarfile.TarInfo):
                content.name = name
                tar.addfile(content)
                continue
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return packed.getvalue()


class Builder:
    def __init__(self, davitd: Davitd) -> None:
        self.davitd = davitd
        self.client = davitd.client

    def build(
        self,
        dockerfile: str,
        files: Mapping[str, str | bytes | tarfile.TarInfo] | None = None,
        *,
        query: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Result:
        """query: parameters, those too that ``more`` cannot name. secrets: by ID."""
        body = context(dockerfile, files or {})
        coded = {
            name: base64.b64encode(text.encode()).decode() for name, text in (secrets or {}).items()
        }
        headers = {}
        if coded:
            text = base64.urlsafe_b64encode(json.dumps(coded).encode()).decode()
            headers["X-Davit-Secrets"] = text
        answer = self.client.request(
            "POST", "/build", body, query={**(query or {}), **more}, headers=headers
        )
        if answer.status != 200:
            return Result(answer, [{"error": answer.message}])
        return Result(answer, [json.loads(line) for line in answer.body.splitlines()])

    def config(self, image: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get(f"/images/{image}/json").json["Config"]
        return found

    def run(self, image: str, *command: str) -> str:
        """What a command says in a container of the image."""
        done = self.davitd.docker("run", "--rm", image, *command)
        return done.stdout.decode()


@pytest.fixture
def builder(shared_davitd: Davitd) -> Builder:
    return Builder(shared_davitd)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments, directory=str(self.root))  # type: ignore[arg-type]

    root = Path()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """A web server for what is in ``tmp_path``."""
    handler = type("Handler", (Quiet,), {"root": tmp_path})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
