"""Image references: ``[registry[:port]/]path[:tag][@digest]``.

Source: the grammar in the CNCF Distribution project's documentation of ``reference``; names without
a registry belong to docker.io, names of one component to its ``library``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from davit.errors import InvalidParameter

DEFAULT_DOMAIN = "docker.io"
DEFAULT_TAG = "latest"
_OFFICIAL = "library/"

_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*\Z")
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?\Z")
_TAG = re.compile(r"[\w][\w.-]{0,127}\Z", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_BARE_ID = re.compile(r"[0-9a-f]{64}\Z")
_NAME_LIMIT = 255


@dataclass(frozen=True)
class Reference:
    """A normalised reference. tag or digest are empty when the text had none."""

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a reference as a user writes it. Raises InvalidParameter."""
        if _BARE_ID.match(text):
            raise InvalidParameter(
                f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings"
            )
        name, _, digest = text.partition("@")
        if digest and not _DIGEST.match(digest):
            raise InvalidParameter(
                f"invalid reference format: {text!r}: the digest is not sha256: and 64 hex digits"
            )
        tag = ""
        head, colon, tail = name.rpartition(":")
        if colon and "/" not in tail:
            name, tag = head, tail
            if not _TAG.match(tag):
                raise InvalidParameter(f"invalid reference format: {text!r}: bad tag {tag!r}")
        domain, path = _split_domain(name)
        if path != path.lower():
            raise InvalidParameter(
                f"invalid reference format: repository name ({path}) must be lowercase"
            )
        if not _PATH.match(path) or not _DOMAIN.match(domain):
            raise InvalidParameter(f"invalid reference format: {text!r}")
        if len(path) > _NAME_LIMIT:
            raise InvalidParameter(
                f"invalid reference format: repository name must not be more than {_NAME_LIMIT} "
                "characters"
            )
        return cls(domain, path, tag, digest)

    @classmethod
    def parse_tag(cls, repository: str, tag: str = "") -> str:
        """Return the ``repository:tag`` that these two name. Raises InvalidParameter.

        A tag that the repository carries itself is replaced by ``tag`` when that is given.
        """
        reference = cls.parse(repository)
        if reference.digest:
            raise InvalidParameter(
                f"refusing to create a tag with a digest reference: {repository!r}: give a name "
                "and a tag"
            )
        if tag and not _TAG.match(tag):
            raise InvalidParameter(f"invalid tag format: {tag!r}")
        return replace(reference, tag=tag or reference.tag).tagged

    @property
    def repository(self) -> str:
        """The name as Docker shows it: without docker.io and ``library/``."""
        if self.domain != DEFAULT_DOMAIN:
            return f"{self.domain}/{self.path}"
        short = self.path.removeprefix(_OFFICIAL)
        return self.path if "/" in short else short

    @property
    def tagged(self) -> str:
        """``repository:tag``; the tag is ``latest`` when there is none."""
        return f"{self.repository}:{self.tag or DEFAULT_TAG}"

    def __str__(self) -> str:
        """As Docker shows it: digest before tag, ``latest`` for neither."""
        return f"{self.repository}@{self.digest}" if self.digest else self.tagged


def is_digest(text: str) -> bool:
    """Whether this is ``sha256:`` and 64 hex digits."""
    return _DIGEST.match(text) is not None


def _split_domain(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    named = "." in first or ":" in first or first == "localhost" or first != first.lower()
    if not slash or not named:
        domain, path = DEFAULT_DOMAIN, name
    else:
        domain, path = first, rest
    if domain == "index.docker.io":
        domain = DEFAULT_DOMAIN
    if domain == DEFAULT_DOMAIN and "/" not in path:
        path = _OFFICIAL + path
    return domain, path
