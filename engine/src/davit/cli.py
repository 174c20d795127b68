"""The command line and the configuration file of ``davitd``; the environment is read here only."""

from __future__ import annotations

import argparse
import importlib
import ipaddress
import logging
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from davit import __version__
from davit.config import DEFAULT_CONFIG_FILE, AddressPool, Settings
from davit.errors import DavitError, InvalidParameter
from davit.model import log_options
from davit.model.config import LogConfig
from davit.sys import memory
from davit.sys.activation import take_sockets

_LEVELS = ("debug", "info", "warn", "error", "fatal")


@dataclass(frozen=True)
class _Option:
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


def _pool(text: str) -> AddressPool:
    pairs = dict(part.partition("=")[::2] for part in text.split(","))
    if set(pairs) != {"base", "size"} or not pairs["size"].isdigit():
        raise InvalidParameter(f"{text!r} is not an address pool: use base=10.0.0.0/16,size=24")
    base = ipaddress.ip_network(_network(pairs["base"]))
    size = int(pairs["size"])
    if not base.prefixlen <= size <= base.max_prefixlen:
        raise InvalidParameter(f"address pool {text!r}: no /{size} fits into {base}")
    return AddressPool(str(base), size)


_OPTIONS = (
    _Option(("data-root",), "data_root", "DIR", "what survives a reboot: images, state", _path),
    _Option(("run-root", "exec-root"), "run_root", "DIR", "what does not: sockets, mounts", _path),
    _Option(
        ("host",),
        "hosts",
        "URL",
        "unix:///PATH, tcp://ADDRESS:PORT, or fd:// for sockets of the service manager",
        many=True,
        short="-H",
    ),
    _Option(("tls",), "tls", "", "TLS on tcp://; false: none is needed", _boolean),
    _Option(("tlsverify",), "tls_verify", "", "TLS, for clients whom the CA has signed", _boolean),
    _Option(("tlscacert",), "tls_ca", "FILE", "who signs clients' certificates", _path),
    _Option(("tlscert",), "tls_certificate", "FILE", "the engine's certificate", _path),
    _Option(("tlskey",), "tls_key", "FILE", "the key of this certificate", _path),
    _Option(("group",), "group", "GROUP", "group of the unix sockets", short="-G"),
    _Option(("pidfile",), "pidfile", "FILE", "write the process ID there", _path, short="-p"),
    _Option(
        ("default-runtime", "runtime-path"),
        "runtime",
        "NAME",
        "OCI runtime of containers that name none; also a program: crun or a path",
    ),
    _Option(
        ("add-runtime", "runtimes"),
        "runtimes",
        "NAME=PROGRAM",
        "a further OCI runtime",
        _runtime,
        many=True,
    ),
    _Option(("conmon",), "conmon", "PROGRAM", "container monitor"),
    _Option(("init-path",), "init_path", "FILE", "init for containers that ask for one"),
    _Option(
        ("userns-remap",),
        "userns_remap",
        "USER",
        "user[:group] whose subordinate IDs containers run with; default: davit",
    ),
    _Option(
        ("bridge",), "bridge", "NAME", "interface of the default network, none for none", short="-b"
    ),
    _Option(("icc",), "icc", "", "containers of the default network reach each other", _boolean),
    _Option(("bip",), "bip", "CIDR", "address of the default network's bridge", _interface),
    _Option(("fixed-cidr",), "fixed_cidr", "CIDR", "addresses of the default network", _network),
    _Option(("mtu",), "mtu", "BYTES", "of container networks", _number),
    _Option(
        ("default-address-pool",),
        "default_address_pools",
        "base=CIDR,size=N",
        "where networks without a subnet get theirs",
        _pool,
        many=True,
    ),
    _Option(("dns",), "dns", "ADDRESS", "name server for containers", _address, many=True),
    _Option(("dns-search",), "dns_search", "DOMAIN", "search domain for containers", many=True),
    _Option(("dns-opt",), "dns_options", "OPTION", "resolver option for containers", many=True),
    _Option(("label",), "labels", "KEY=VALUE", "label of this engine", many=True),
    _Option(("log-driver",), "log_driver", "DRIVER", ", ".join(log_options.DRIVERS)),
    _Option(("log-opt", "log-opts"), "log_opts", "KEY=VALUE", "of this driver", _pair, many=True),
    _Option(("log-level",), "log_level", "LEVEL", ", ".join(_LEVELS), _level, short="-l"),
    _Option(
        ("shutdown-timeout",), "shutdown_timeout", "SECONDS", "for requests at the end", _number
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``davitd``; return its exit status."""
    parser = _parser()
    given = parser.parse_args(_spell_out(sys.argv[1:] if arguments is None else arguments))
    try:
        settings = _settings(given)
    except InvalidParameter as error:
        parser.error(error.message)
    logging.basicConfig(
        level=settings.logging_level,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    memory.share_arena()
    # Imported late: --help and errors need not wait for the engine to load.
    with memory.without_ca_certificates():
        from davit import daemon

    try:
        if given.command == "erase":
            return daemon.erase(settings, data=given.data)
        return daemon.run(
            settings,
            notify_socket=os.environ.pop("NOTIFY_SOCKET", ""),
            activated=take_sockets(os.environ),
            read_again=lambda: _settings(given),
        )
    except DavitError as error:
        print(f"davitd: {error.message}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="davitd",
        allow_abbrev=False,
        description="The davit container engine: serves the Docker Engine API.",
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument(
        "command",
        nargs="?",
        choices=("serve", "erase"),
        default="serve",
        help="serve (default), or erase: remove all containers of these roots and everything "
        "that they have in the kernel (mounts, interfaces, rules, cgroups)",
    )
    parser.add_argument(
        "--data", action="store_true", default=False, help="erase the data root too"
    )
    parser.add_argument("--config", metavar="FILE", help=f"TOML; default {DEFAULT_CONFIG_FILE}")
    parser.add_argument("--validate", action="store_true", default=False, help="check the settings")
    parser.add_argument("--debug", "-D", action="store_true", help="log level debug")
    parser.add_argument("--version", "-v", action="version", version=f"davitd {__version__}")
    for option in _OPTIONS:
        flags = [f"--{name}" for name in option.names]
        parser.add_argument(
            *flags,
            *([option.short] if option.short else []),
            dest=option.field,
            action="append",
            metavar=option.value or "BOOL",
            help=option.help,
        )
    return parser


def _spell_out(arguments: Sequence[str]) -> list[str]:
    """Write flags that stand alone with their value, so that they do not take the next word."""
    alone = {f"--{name}" for option in _OPTIONS if not option.value for name in option.names}
    return [f"{word}=true" if word in alone else word for word in arguments]


def _settings(given: argparse.Namespace) -> Settings:
    """Merge defaults, configuration file and command line, the later over the earlier."""
    values = _read_file(getattr(given, "config", ""))
    for option in _OPTIONS:
        texts = getattr(given, option.field, None)
        if texts is not None:
            values[option.field] = _convert(option, texts, f"--{option.names[0]}")
    if getattr(given, "debug", False):
        values["log_level"] = "debug"
    if "run_root" in values:
        values.setdefault("hosts", (f"unix://{values['run_root']}/davit.sock",))
    settings = Settings(**values)
    log_options.check(LogConfig(type=settings.log_driver, config=dict(settings.log_opts)))
    _check_runtimes(settings)
    if given.validate:
        _validate(settings)
        print("configuration OK")
        raise SystemExit(0)
    return settings


def _check_runtimes(settings: Settings) -> None:
    names = [name for name, _ in settings.runtimes]
    for name in names:
        if names.count(name) > 1:
            raise InvalidParameter(f"--add-runtime: runtime '{name}' was already defined")
    if settings.runtime not in names and settings.default_runtime in names:
        raise InvalidParameter(
            f"--default-runtime: {settings.runtime} would be called as the runtime "
            f"'{settings.default_runtime}' of --add-runtime: give this name, or another to that one"
        )


def _read_file(name: str) -> dict[str, Any]:
    """Return the file's settings by field; none when the default file does not exist."""
    path = Path(name) if name else DEFAULT_CONFIG_FILE
    if not name and not path.exists():
        return {}
    try:
        text = path.read_text()
    except OSError as error:
        raise InvalidParameter(f"cannot read {path}: {error.strerror}") from None
    # Python 3.10 has no tomllib of its own.
    toml: Any = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        raw = toml.loads(text)
    except toml.TOMLDecodeError as error:
        raise InvalidParameter(f"{path} is not valid TOML: {error}") from None
    by_name = {name: option for option in _OPTIONS for name in option.names}
    values: dict[str, Any] = {}
    for key, value in raw.items():
        if key == "debug":
            if value:
                values["log_level"] = "debug"
            continue
        if key not in by_name:
            known = ", ".join(sorted([*by_name, "debug"]))
            raise InvalidParameter(f"{path}: unknown key {key!r}; known keys: {known}")
        option = by_name[key]
        items = value if isinstance(value, list) else [value]
        if option.value in ("KEY=VALUE", "NAME=PROGRAM") and isinstance(value, dict):
            items = [f"{name}={_text(item)}" for name, item in value.items()]
        values[option.field] = _convert(option, [_text(item) for item in items], f"{path}: {key}")
    return values


def _text(value: Any) -> str:
    """Write a TOML value as the command line has it: a table as ``base=…,size=…``."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return ",".join(f"{key}={item}" for key, item in value.items())
    return str(value)


def _convert(option: _Option, texts: list[str], place: str) -> Any:
    if not option.many and len(texts) != 1:
        raise InvalidParameter(f"{place}: one value is needed, {len(texts)} are given")
    try:
        values = tuple(option.convert(text) for text in texts)
    except InvalidParameter as error:
        raise InvalidParameter(f"{place}: {error.message}") from None
    return values if option.many else values[0]


def _validate(settings: Settings) -> None:
    """Check what only this machine can tell."""
    default = settings.runtime_programs[settings.default_runtime]
    for program in (default, *dict(settings.runtimes).values(), settings.conmon):
        if shutil.which(program) is None:
            raise InvalidParameter(f"{program} is not installed, or not in PATH")
    from davit.daemon import tls_files

    files = tls_files(settings)
    if files is not None:
        files.load()
