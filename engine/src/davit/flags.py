"""The settings as flags, and as keys of the same names in the configuration file."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from davit.config import AddressPool
from davit.errors import InvalidParameter
from davit.model import log_options

_LEVELS = ("debug", "info", "warn", "error", "fatal")


@dataclass(frozen=True)
class Option:
    """A flag, and the key of the same name in the configuration file.

    names: long names, the first is shown. field: of Settings. value: what help calls it, empty for
    a flag that may stand alone. many: may be repeated.
    """

    names: tuple[str, ...]
    field: str
    value: str
    help: str
    convert: Callable[[str], Any] = str
    many: bool = False
    short: str = ""


def _path(text: str) -> Path:
    return Path(os.path.abspath(text))


def _number(text: str) -> int:
    if not text.isdigit():
        raise InvalidParameter(f"{text!r} is not a whole number")
    return int(text)


def _size(text: str) -> int:
    match = re.fullmatch(r"([0-9]+)([kmgt]?)b?", text.lower())
    if not match:
        raise InvalidParameter(f"{text!r} is not a size: use bytes, or 512m, 20g")
    return int(match[1]) << 10 * " kmgt".index(match[2] or " ")


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise InvalidParameter(f"{text!r} is neither true nor false")
    return text.lower() == "true"


def _level(text: str) -> str:
    if text not in _LEVELS:
        raise InvalidParameter(f"{text!r} is not one of {', '.join(_LEVELS)}")
    return text


def _interface(text: str) -> str:
    try:
        if "/" not in text:
            raise ValueError
        return str(ipaddress.ip_interface(text))
    except ValueError:
        raise InvalidParameter(
            f"{text!r} is not an address with its prefix (10.0.0.1/24)"
        ) from None


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise InvalidParameter(f"{text!r} is not a subnet: {error}") from None


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise InvalidParameter(f"{text!r} is not an IP address") from None


def _of(version: int, convert: Callable[[str], str]) -> Callable[[str], str]:
    """Let addresses of one family pass, 4 or 6."""

    def converted(text: str) -> str:
        value = convert(text)
        if (":" in value) != (version == 6):
            raise InvalidParameter(f"{text!r} is not of IPv{version}")
        return value

    return converted


def _insecure(text: str) -> str:
    if "://" in text or ("/" in text and not text.rpartition("/")[2].isdigit()):
        raise InvalidParameter(
            f"insecure registry {text} should not contain '://' or a path: use host[:port] or CIDR"
        )
    return text.lower()


def _mirror(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise InvalidParameter(f'invalid mirror: "{text}" is not http://HOST or https://HOST')
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise InvalidParameter(
            f'invalid mirror: path, query, or fragment at end of the URI "{text}": leave it out'
        )
    return f"{parts.scheme}://{parts.netloc}/"


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator:
        raise InvalidParameter(f"{text!r} is not an option: use max-size=10m")
    return key, value


def _runtime(text: str) -> tuple[str, str]:
    name, separator, program = text.partition("=")
    if not (separator and name and program):
        raise InvalidParameter(f"invalid runtime argument: {text}: use NAME=PROGRAM")
    if name in ("runc", "io.containerd.runc.v2"):
        raise InvalidParameter(
            f"runtime name '{name}' is reserved: use another, or default-runtime={program}"
        )
    return name, program


def _cgroupns_mode(text: str) -> str:
    if text not in ("private", "host"):
        raise InvalidParameter(f"{text!r} is no mode of cgroup namespaces: use private or host")
    return text


def _pool(text: str) -> AddressPool:
    pairs = dict(part.partition("=")[::2] for part in text.split(","))
    if set(pairs) != {"base", "size"} or not pairs["size"].isdigit():
        raise InvalidParameter(f"{text!r} is not an address pool: use base=10.0.0.0/16,size=24")
    base = ipaddress.ip_network(_network(pairs["base"]))
    size = int(pairs["size"])
    if not base.prefixlen <= size <= base.max_prefixlen:
        raise InvalidParameter(f"address pool {text!r}: no /{size} fits into {base}")
    return AddressPool(str(base), size)


OPTIONS = (
    Option(("data-root",), "data_root", "DIR", "what survives a reboot: images, state", _path),
    Option(("run-root", "exec-root"), "run_root", "DIR", "what does not: sockets, mounts", _path),
    Option(
        ("host",),
        "hosts",
        "URL",
        "unix:///PATH, tcp://ADDRESS:PORT, or fd:// for sockets of the service manager",
        many=True,
        short="-H",
    ),
    Option(("tls",), "tls", "", "TLS on tcp://; false: none is needed", _boolean),
    Option(("tlsverify",), "tls_verify", "", "TLS, for clients whom the CA has signed", _boolean),
    Option(("tlscacert",), "tls_ca", "FILE", "who signs clients' certificates", _path),
    Option(("tlscert",), "tls_certificate", "FILE", "the engine's certificate", _path),
    Option(("tlskey",), "tls_key", "FILE", "the key of this certificate", _path),
    Option(("group",), "group", "GROUP", "group of the unix sockets", short="-G"),
    Option(("pidfile",), "pidfile", "FILE", "write the process ID there", _path, short="-p"),
    Option(
        ("default-runtime", "runtime-path"),
        "runtime",
        "NAME",
        "OCI runtime of containers that name none; also a program: crun or a path",
    ),
    Option(
        ("add-runtime", "runtimes"),
        "runtimes",
        "NAME=PROGRAM",
        "a further OCI runtime",
        _runtime,
        many=True,
    ),
    Option(("conmon",), "conmon", "PROGRAM", "container monitor"),
    Option(("init-path",), "init_path", "FILE", "init for containers that ask for one"),
    Option(
        ("userns-remap",),
        "userns_remap",
        "USER",
        "user[:group] whose subordinate IDs containers run with; default: davit",
    ),
    Option(
        ("default-cgroupns-mode",),
        "default_cgroupns_mode",
        "MODE",
        "cgroup namespace of containers: private, host",
        _cgroupns_mode,
    ),
    Option(
        ("bridge",), "bridge", "NAME", "interface of the default network, none for none", short="-b"
    ),
    Option(("icc",), "icc", "", "containers of the default network reach each other", _boolean),
    Option(("ip-masq",), "ip_masq", "", "what leaves the default network is masqueraded", _boolean),
    Option(
        ("ip",),
        "ip",
        "ADDRESS",
        "where the default network's ports are published",
        _of(4, _address),
    ),
    Option(("bip",), "bip", "CIDR", "address of the default network's bridge", _of(4, _interface)),
    Option(
        ("fixed-cidr",), "fixed_cidr", "CIDR", "addresses of the default network", _of(4, _network)
    ),
    Option(
        ("default-gateway",),
        "default_gateway",
        "ADDRESS",
        "router of the default network's containers",
        _of(4, _address),
    ),
    Option(("ipv6",), "ipv6", "", "IPv6 on the default network", _boolean),
    Option(("bip6",), "bip6", "CIDR", "as bip, for IPv6", _of(6, _interface)),
    Option(
        ("fixed-cidr-v6",), "fixed_cidr_v6", "CIDR", "as fixed-cidr, for IPv6", _of(6, _network)
    ),
    Option(
        ("default-gateway-v6",),
        "default_gateway_v6",
        "ADDRESS",
        "as default-gateway, for IPv6",
        _of(6, _address),
    ),
    Option(("mtu",), "mtu", "BYTES", "of container networks", _number),
    Option(
        ("default-address-pool",),
        "default_address_pools",
        "base=CIDR,size=N",
        "where networks without a subnet get theirs",
        _pool,
        many=True,
    ),
    Option(("dns",), "dns", "ADDRESS", "name server for containers", _address, many=True),
    Option(("dns-search",), "dns_search", "DOMAIN", "search domain for containers", many=True),
    Option(("dns-opt",), "dns_options", "OPTION", "resolver option for containers", many=True),
    Option(
        ("insecure-registry", "insecure-registries"),
        "insecure_registries",
        "HOST",
        "host[:port] or CIDR of registries without verified TLS",
        _insecure,
        many=True,
    ),
    Option(
        ("registry-mirror", "registry-mirrors"),
        "registry_mirrors",
        "URL",
        "asked for Docker Hub's images before it",
        _mirror,
        many=True,
    ),
    Option(
        ("gc-grace",),
        "gc_grace",
        "SECONDS",
        "how long layers of no image are kept, those of pulls that failed",
        _number,
    ),
    Option(
        ("max-layer-size",),
        "max_layer_size",
        "BYTES",
        "to which a layer of an image may unpack; also 20g",
        _size,
    ),
    Option(("label",), "labels", "KEY=VALUE", "label of this engine", many=True),
    Option(("log-driver",), "log_driver", "DRIVER", ", ".join(log_options.DRIVERS)),
    Option(("log-opt", "log-opts"), "log_opts", "KEY=VALUE", "of this driver", _pair, many=True),
    Option(("log-level",), "log_level", "LEVEL", ", ".join(_LEVELS), _level, short="-l"),
    Option(
        ("shutdown-timeout",), "shutdown_timeout", "SECONDS", "for requests at the end", _number
    ),
)
