"""Pure: where and how the syslog driver sends, and the messages it makes.

Sources: RFC 3164, RFC 5424, RFC 6587 (octet counting), and the options of Docker's syslog driver.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import msgspec

from davit.errors import InvalidParameter
from davit.model.logs import LogRecord
from davit.model.runtime import STDERR

OPTIONS = (
    "syslog-address",
    "syslog-facility",
    "syslog-format",
    "syslog-tls-ca-cert",
    "syslog-tls-cert",
    "syslog-tls-key",
    "syslog-tls-skip-verify",
)
_FACILITIES = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron"),
    *("authpriv", "ftp"),
)
_LOCAL_FACILITIES = {f"local{number}": 16 + number for number in range(8)}
_FORMATS = ("", "rfc3164", "rfc5424", "rfc5424micro")
_PROTOCOLS = ("udp", "tcp", "tcp+tls", "unix", "unixgram")
_DEFAULT_PORT = 514
_ERROR, _INFO = 3, 6


class Syslog(msgspec.Struct, frozen=True, kw_only=True):
    """Where to and how. protocol: empty for this host's own socket; host: or a socket's path.

    ca, certificate, key: files for TLS, empty for none.
    """

    protocol: str = ""
    host: str = ""
    port: int = _DEFAULT_PORT
    facility: int = 3
    format: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""
    verify: bool = True


def parse(options: Mapping[str, str]) -> Syslog:
    """Raises InvalidParameter with Docker's words."""
    protocol, host, port = _address(options.get("syslog-address", ""))
    form = options.get("syslog-format", "")
    if form not in _FORMATS:
        raise InvalidParameter("Invalid syslog format: use rfc3164, rfc5424 or rfc5424micro")
    return Syslog(
        protocol=protocol,
        host=host,
        port=port,
        facility=_facility(options.get("syslog-facility", "") or "daemon"),
        format=form,
        ca=options.get("syslog-tls-ca-cert", ""),
        certificate=options.get("syslog-tls-cert", ""),
        key=options.get("syslog-tls-key", ""),
        # As in Docker: that it is there is enough.
        verify="syslog-tls-skip-verify" not in options,
    )


def message(target: Syslog, record: LogRecord, *, hostname: str, tag: str, pid: int) -> bytes:
    """Return a message, with what tells its end on a stream."""
    priority = target.facility * 8 + (_ERROR if record.stream == STDERR else _INFO)
    head = _head(target.format, record.time, priority, hostname, tag, pid)
    text = head.encode() + record.text + b"\n"
    if target.protocol == "tcp+tls" and target.format.startswith("rfc5424"):
        return b"%d %b" % (len(text), text)  # RFC 5425: counted
    return text


def _head(form: str, moment: int, priority: int, hostname: str, tag: str, pid: int) -> str:
    seconds, fraction = divmod(moment, 10**9)
    if form.startswith("rfc5424"):
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
        if form == "rfc5424micro":
            stamp += f".{fraction // 1000:06d}"
        return f"<{priority}>1 {stamp}Z {hostname} {tag} {pid} {tag} - "
    local = time.localtime(seconds)
    stamp = f"{time.strftime('%b', local)} {local.tm_mday:2d} {time.strftime('%H:%M:%S', local)}"
    sender = f"{hostname} {tag}" if form == "rfc3164" else tag
    return f"<{priority}>{stamp} {sender}[{pid}]: "


def _address(text: str) -> tuple[str, str, int]:
    if not text:
        return "", "", 0
    protocol, separator, rest = text.partition("://")
    if not separator or protocol not in _PROTOCOLS:
        raise InvalidParameter(
            f"syslog-address should be in form proto://address, got {text}: the protocol is one of "
            f"{', '.join(_PROTOCOLS)}"
        )
    if protocol.startswith("unix"):
        if not rest.startswith("/"):
            raise InvalidParameter(f"syslog-address {text}: an absolute path is needed")
        return protocol, rest, 0
    host, port = rest.rstrip("/"), ""
    if host.startswith("["):
        host, _, port = host[1:].partition("]")
        port = port.removeprefix(":")
    elif ":" in host:
        host, _, port = host.rpartition(":")
    if port and not (port.isdigit() and 0 < int(port) < 1 << 16):
        raise InvalidParameter(f"syslog-address {text}: {port!r} is not a port")
    return protocol, host or "127.0.0.1", int(port or _DEFAULT_PORT)


def _facility(text: str) -> int:
    if text in _FACILITIES:
        return _FACILITIES.index(text)
    if text in _LOCAL_FACILITIES:
        return _LOCAL_FACILITIES[text]
    if text.isdigit() and 0 <= int(text) <= 23:
        return int(text)
    raise InvalidParameter(
        f"invalid syslog facility {text!r}: use a number to 23 or one of "
        f"{', '.join((*_FACILITIES, *_LOCAL_FACILITIES))}"
    )
