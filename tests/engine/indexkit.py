"""An index that can be searched, on loopback, for tests."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

FOUND = [
    {
        "name": name,
        "description": f"what {name} is",
        "star_count": stars,
        "is_official": official,
        "is_automated": True,
        "pull_count": 7,
    }
    for name, stars, official in (("box", 30, True), ("team/box", 3, False), ("my/box", 0, False))
]


class Index:
    """asked: queries of the searches. challenge: sent to who does not show the right words."""

    def __init__(self) -> None:
        self.asked: list[Mapping[str, list[str]]] = []
        self.challenge = ""
        self.expected = ""
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = urlsplit(self.path)
                status, body = 404, b"not found"
                if path.path == "/v1/search":
                    index.asked.append(parse_qs(path.query))
                    allowed = self.headers.get("Authorization", "").startswith(index.expected)
                    status = 200 if allowed else 401
                    body = json.dumps({"num_results": len(FOUND), "results": FOUND}).encode()
                self.send_response(status)
                if status == 401:
                    self.send_header("WWW-Authenticate", index.challenge)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.http.server_port}"


@contextmanager
def search_index() -> Iterator[Index]:
    """Run one; it finds the same whatever it is asked for."""
    made = Index()
    thread = threading.Thread(target=made.http.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield made
    finally:
        made.http.shutdown()
        thread.join()
        made.http.server_close()
