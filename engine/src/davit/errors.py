"""The nine kinds of error that davit knows.

Every error that reaches a client is one of these; ``api/errors.py`` holds the one map from kind to
HTTP status. A message names the object, says what was wrong and what to do about it.
"""

from __future__ import annotations


class DavitError(Exception):
    """Base of all kinds; never raised itself."""

    @property
    def message(self) -> str:
        return str(self.args[0]) if self.args else type(self).__name__


class InvalidParameter(DavitError, ValueError):
    """The request cannot be understood or is out of range (400)."""


class Unauthorized(DavitError):
    """Credentials are missing or wrong (401)."""


class Forbidden(DavitError):
    """The request is understood and will not be done (403)."""


class NotFound(DavitError, LookupError):
    """The named object does not exist (404)."""


class Conflict(DavitError):
    """The object's present state or another object stands in the way (409)."""


class NotModified(DavitError):
    """The object already is in the wanted state (304)."""


class NotSupported(DavitError):
    """davit does not do this, or not yet (501)."""


class Unavailable(DavitError):
    """Something outside davit that is needed does not answer (503)."""


class SystemFailure(DavitError):
    """The kernel, the OCI runtime or a file failed in a way the request did not cause (500)."""
