"""The one map from kind of error to HTTP status. No other place decides a status of an error."""

from __future__ import annotations

from davit import errors

_STATUS: dict[type[errors.DavitError], int] = {
    errors.NotModified: 304,
    errors.InvalidParameter: 400,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.SystemFailure: 500,
    errors.NotSupported: 501,
    errors.Unavailable: 503,
}


def status(error: errors.DavitError) -> int:
    """Return the HTTP status of an error's kind."""
    return next(code for kind, code in _STATUS.items() if isinstance(error, kind))
