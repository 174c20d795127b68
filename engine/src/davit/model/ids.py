"""Identifiers and random names."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable

from davit.errors import InvalidParameter

SHORT_ID_LENGTH = 12
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+\Z")
_HEX = re.compile(r"[0-9a-f]+\Z")

_ADJECTIVES = """
able agile amber ample bold brave brisk calm clear cosy crisp deft eager early even fair fine
firm fleet frank fresh gentle glad grand green happy hardy honest humble keen kind light lively
loyal lucid merry mild neat nimble noble patient plain polite prompt proud quick quiet ready
robust royal sage serene sharp silent smart smooth sober solid stable steady still stout strong
subtle sunny sure swift tidy true trusty vivid warm wise witty
"""
_NOUNS = """
anchor beacon boom bow bridge buoy cabin cable capstan cargo chart cleat compass convoy cove
crane crew cutter deck derrick dinghy dock dory ferry fjord fleet flag frigate galley gantry
harbor hatch hawser helm hoist hull island jetty jib keel ketch lagoon lantern launch lighthouse
log mast mooring oar outrigger pier pilot port quay raft rigging rope rudder sail schooner seal
sextant shore skiff sloop sounding spar stern strait tackle tide tiller tow tug vessel voyage
wake wharf winch yacht yawl
"""


def new_id() -> str:
    """Return a fresh object ID: 64 lower-case hex digits, as Docker's are."""
    return secrets.token_hex(32)


def short(object_id: str) -> str:
    """Return the first twelve digits of an ID, without its ``sha256:``."""
    return object_id.removeprefix("sha256:")[:SHORT_ID_LENGTH]


def random_name() -> str:
    """Return an adjective and a noun of seafaring, ``swift_anchor``."""
    return f"{secrets.choice(_ADJECTIVES.split())}_{secrets.choice(_NOUNS.split())}"


def is_name(name: str) -> bool:
    """Tell whether a container, volume or network may be called so (Docker's own pattern)."""
    return _NAME.match(name) is not None


def is_hex(text: str) -> bool:
    """Tell whether a text may be the beginning of an ID."""
    return _HEX.match(text) is not None


def by_prefix(prefix: str, ids: Iterable[str]) -> str | None:
    """Return the one ID that begins so, None when none does; an empty prefix begins none.

    Raises InvalidParameter when several do.
    """
    fitting = [key for key in ids if prefix and key.startswith(prefix)]
    if len(fitting) > 1:
        raise InvalidParameter(
            f"multiple IDs found with provided prefix: {prefix}: give more of its digits"
        )
    return fitting[0] if fitting else None
