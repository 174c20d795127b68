"""Builds with the classic builder: ten steps, cold and then with every step in the cache."""

from __future__ import annotations

import random
import tarfile

from tests.bench.engines import IMAGE, Engine
from tests.bench.images import compare
from tests.bench.report import Row
from tests.engine.imagekit import layer, member

FILES = 200
DOCKERFILE = f"""\
FROM {IMAGE}
ENV GREETING=hello COLOUR=green
WORKDIR /srv/app
RUN busybox mkdir -p data && busybox head -c 2000000 /dev/zero > data/zeros
COPY requirements.txt .
RUN while read -r line; do echo "$line" > "data/$line"; done < requirements.txt
COPY src src
RUN for file in src/*; do busybox md5sum "$file"; done > sums
EXPOSE 8080
CMD ["/bin/sh", "-c", "echo $GREETING"]
"""
_NAME = "bench/built"


def measure(moby: Engine, davit: Engine, rounds: int) -> list[Row]:
    """Compare seconds of the request, and the most memory that the daemons have meanwhile."""
    context = _context()

    def build(engine: Engine, options: str = "") -> None:
        path = f"/build?t={_NAME}&rm=1&forcerm=1{options}"
        answer = engine.client.request("POST", path, context)
        if b"Successfully tagged" not in answer:
            raise RuntimeError(f"{engine.name}: {answer[-1000:].decode()}")

    rows = compare(
        moby, davit, rounds, lambda it: build(it, "&nocache=1"), "build of ten steps, cold", 0.60
    )
    # The last of those has filled the cache.
    rows += compare(moby, davit, 4 * rounds, build, "build of ten steps, all cached", 0.50)
    for engine in (moby, davit):
        engine.client.request("DELETE", f"/images/{_NAME}?force=1")
        engine.client.request("POST", "/images/prune")
    return rows


def _context() -> bytes:
    """A Dockerfile with a list and 200 source files: 2 MB."""
    dice = random.Random("context")
    names = "\n".join(f"package{number}" for number in range(50))
    members = [
        member("Dockerfile", DOCKERFILE.encode()),
        member("requirements.txt", f"{names}\n".encode()),
        member("src", None, tarfile.DIRTYPE),
    ]
    members += [member(f"src/file{n}.c", dice.randbytes(5000).hex().encode()) for n in range(FILES)]
    return layer(members)
