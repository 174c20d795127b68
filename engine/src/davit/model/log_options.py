"""Pure: what the options of a log driver may say, and what they come to.

The names and refusals are dockerd's. davit refuses at creation what dockerd finds out at the start.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote_plus

from davit.errors import InvalidParameter
from davit.model import ids, syslog
from davit.model.config import LogConfig
from davit.model.container import Container
from davit.model.logs import LogLimits

DRIVERS = ("journald", "json-file", "local", "none", "syslog")
FORWARDED = frozenset({"journald", "syslog"})
"""Drivers whose lines go to a server, from a log of their own that davit keeps as a cache."""

_CACHE = ("cache-disabled", "cache-max-size", "cache-max-file", "cache-compress")
_MODE = ("mode", "max-buffer-size")
_ATTRIBUTES = ("env", "env-regex", "labels", "labels-regex", "tag")
_OPTIONS = {
    "json-file": ("max-size", "max-file", "compress", *_ATTRIBUTES),
    "local": ("max-size", "max-file", "compress"),
    "journald": _ATTRIBUTES,
    "syslog": (*syslog.OPTIONS, *_ATTRIBUTES),
}
_LOCAL = LogLimits(max_size=20_000_000, max_file=5, compress=True)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s?([kmgtp]?)(i?b)?\Z", re.IGNORECASE)
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")
_TEMPLATE = re.compile(r"\{\{\s*(.*?)\s*\}\}")


def complete(asked: LogConfig, default: LogConfig) -> LogConfig:
    """Fill in the engine's driver, and its options if the driver is the same."""
    kind = asked.type or default.type
    options = dict(asked.config)
    for name, value in default.config.items():
        if kind == default.type or (kind in FORWARDED and name in _CACHE):
            options.setdefault(name, value)
    return LogConfig(type=kind, config=options)


def check(log: LogConfig) -> None:
    """Raise InvalidParameter for an unknown driver or option, or a wrong value."""
    options = log.config
    if log.type in ("", "none"):
        return
    if log.type not in _OPTIONS:
        raise InvalidParameter(
            # Docker's words and no more: docker-py's tests compare them whole.
            f"logger: no log driver named '{log.type}' is registered"
        )
    _check_mode(options)
    known = (*_OPTIONS[log.type], *_MODE, *(_CACHE if log.type in FORWARDED else ()))
    for name in options:
        if name not in known:
            words = "log driver local" if log.type == "local" else f"{log.type} log driver"
            raise InvalidParameter(
                f"unknown log opt '{name}' for {words}; known: {', '.join(sorted(known))}"
            )
    for name in ("env-regex", "labels-regex"):
        try:
            re.compile(options.get(name, ""))
        except re.error as error:
            raise InvalidParameter(f"{name}: error parsing regexp: {error}") from None
    if "cache-disabled" in options:
        _boolean("cache-disabled", options["cache-disabled"])
    limits(log)
    for template in _TEMPLATE.findall(options.get("tag", "")):
        if template not in _FIELDS:
            raise InvalidParameter(
                f"template: log-tag: can't evaluate {template!r} in the tag; use one of "
                f"{', '.join(sorted(_FIELDS))}"
            )
    if log.type == "syslog":
        syslog.parse(options)


def limits(log: LogConfig) -> LogLimits:
    """Return how much of the log is kept in files. Raises InvalidParameter."""
    if log.type == "none":
        return LogLimits()
    prefix = "cache-" if log.type in FORWARDED else ""
    default = LogLimits() if log.type == "json-file" else _LOCAL
    options = log.config
    size, files, compress = default.max_size, default.max_file, default.compress
    if text := options.get(f"{prefix}max-size", ""):
        size = 0 if (log.type == "json-file" and text == "-1") else _bytes(text)
        if size <= 0 and text != "-1":
            raise InvalidParameter("max-size must be a positive number")
    if text := options.get(f"{prefix}max-file", ""):
        if not re.fullmatch(r"[-+]?\d+", text):
            raise InvalidParameter(f"max-file: {text!r} is not a whole number")
        files = int(text)
        if files < 1:
            raise InvalidParameter("max-file cannot be less than 1")
    if text := options.get(f"{prefix}compress", ""):
        compress = _boolean("compress", text)
        if compress and (files < 2 or not size):
            raise InvalidParameter(
                "compress cannot be true when max-file is less than 2 or max-size is not set"
            )
    return LogLimits(max_size=size, max_file=files, compress=compress and files > 1)


def can_be_read(log: LogConfig) -> bool:
    """Whether the API may read the log back."""
    return log.type != "none" and log.config.get("cache-disabled", "") not in _TRUE


def attributes(container: Container) -> dict[str, str]:
    """Return what is said of a container with its lines: chosen labels and variables, its tag."""
    options = container.host_config.log_config.config
    labels = container.config.labels
    variables = dict(entry.partition("=")[::2] for entry in container.config.env)
    chosen: dict[str, str] = {}
    for values, names, pattern in (
        (labels, options.get("labels", ""), options.get("labels-regex", "")),
        (variables, options.get("env", ""), options.get("env-regex", "")),
    ):
        chosen |= {name: values[name] for name in names.split(",") if name in values}
        if pattern:
            chosen |= {name: value for name, value in values.items() if re.search(pattern, name)}
    return chosen


def details(container: Container) -> bytes:
    """Return what ``details=1`` puts before each line."""
    chosen = attributes(container)
    options = container.host_config.log_config
    if options.type == "json-file" and options.config.get("tag"):
        chosen["tag"] = tag(container)
    elif options.type == "local":
        chosen = {}
    pairs = [f"{quote_plus(name)}={quote_plus(chosen[name])}" for name in sorted(chosen)]
    return ",".join(pairs).encode() + b" "


def tag(container: Container, hostname: str = "") -> str:
    """Return what a log server sees as the name of the program: by default the short ID."""
    template = container.host_config.log_config.config.get("tag", "") or "{{.ID}}"
    values = {
        ".ID": ids.short(container.id),
        ".FullID": container.id,
        ".Name": container.name,
        ".ImageID": container.image_id[: ids.SHORT_ID_LENGTH],  # with its sha256:, as in Docker
        ".ImageFullID": container.image_id,
        ".ImageName": container.config.image,
        ".DaemonName": "docker",
        ".Hostname": hostname,
    }
    return _TEMPLATE.sub(lambda match: values.get(match[1], match[0]), template)


_FIELDS = frozenset(
    f".{name}"
    for name in (
        *("ID", "FullID", "Name", "ImageID", "ImageFullID", "ImageName"),
        *("DaemonName", "Hostname"),
    )
)


def _check_mode(options: Mapping[str, str]) -> None:
    mode = options.get("mode", "")
    if mode not in ("", "blocking", "non-blocking"):
        raise InvalidParameter(f"logger: logging mode not supported: {mode}")
    if "max-buffer-size" in options:
        if mode != "non-blocking":
            raise InvalidParameter(
                "logger: max-buffer-size option is only supported with 'mode=non-blocking'"
            )
        try:
            _bytes(options["max-buffer-size"])
        except InvalidParameter as error:
            raise InvalidParameter(
                f"error parsing option max-buffer-size: {error.message}"
            ) from None


def _bytes(text: str) -> int:
    """Return the bytes of ``10m``: powers of 1000, as Docker counts a log's size."""
    match = _SIZE.match(text)
    if not match:
        raise InvalidParameter(f"invalid size: '{text}'")
    return int(float(match[1]) * 1000 ** " kmgtp".index(match[2].lower() or " "))


def _boolean(name: str, text: str) -> bool:
    if text not in (*_TRUE, *_FALSE):
        raise InvalidParameter(f"invalid value for option {name}: {text}")
    return text in _TRUE
