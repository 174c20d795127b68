"""Images put into a registry over its HTTP API, under the names that Docker Hub has them."""

from __future__ import annotations

import json
import urllib.request
from urllib.parse import urlencode, urljoin

from tests.engine.imagekit import Built, compress, digest

_MEDIA = "application/vnd.docker."
_MANIFEST = _MEDIA + "distribution.manifest.v2+json"


def push(url: str, image: Built) -> None:
    """Upload an image as ``library/NAME:TAG``, once for each of its tags."""
    layers = [compress(data) for data in image.layers]
    for tag in image.tags:
        name, _, version = tag.partition(":")
        base = f"{url}/v2/library/{name}"
        for blob in (image.body, *layers):
            _upload(base, blob)
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _descriptor("container.image.v1+json", image.body),
            "layers": [_descriptor("image.rootfs.diff.tar.gzip", data) for data in layers],
        }
        _request("PUT", f"{base}/manifests/{version}", json.dumps(manifest).encode(), _MANIFEST)


def _descriptor(kind: str, data: bytes) -> dict[str, object]:
    return {"mediaType": _MEDIA + kind, "size": len(data), "digest": digest(data)}


def _upload(base: str, blob: bytes) -> None:
    place = _request("POST", f"{base}/blobs/uploads/", b"")
    joint = "&" if "?" in place else "?"
    url = f"{urljoin(base, place)}{joint}{urlencode({'digest': digest(blob)})}"
    _request("PUT", url, blob, "application/octet-stream")


def _request(method: str, url: str, body: bytes, kind: str = "") -> str:
    """Send it; return the place that the answer names."""
    headers = {"Content-Type": kind} if kind else {}
    request = urllib.request.Request(url, body, headers, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.headers.get("Location", ""))
