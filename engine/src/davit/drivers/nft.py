"""nft(8): apply a batch, all of it or nothing.

The batch is in nft's own language: the JSON parser of nft 1.0.6 (Debian 12) crashes on maps whose
values are concatenations (address and port), which publishing ports needs.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from davit.errors import SystemFailure, Unavailable
from davit.sys import netns

TIMEOUT = 20.0


def apply(batch: str, namespace: int | Path | None = None) -> None:
    """Blocking. Raises SystemFailure with nft's words, Unavailable when there is no nft.

    namespace: the network namespace to do it in, davitd's own by default.
    """
    if namespace is None:
        _run(batch)
    else:
        with netns.inside(namespace):  # a child begins in the namespaces of its parent's thread
            _run(batch)


def drops_forwarded() -> bool:
    """Whether iptables' ``FORWARD`` chain drops what no rule accepts. Blocking."""
    done = subprocess.run(
        ["nft", "list", "chain", "ip", "filter", "FORWARD"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    return "policy drop" in done.stdout


def _run(batch: str) -> None:
    try:
        done = subprocess.run(
            ["nft", "-f", "-"],
            input=batch,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    except FileNotFoundError:
        raise Unavailable("nft is not installed: install the package nftables") from None
    except subprocess.TimeoutExpired:
        raise SystemFailure(f"nft did not end within {TIMEOUT:.0f} s") from None
    if done.returncode:
        raise SystemFailure(f"nft refused the packet filter rules: {done.stderr.strip()}")
