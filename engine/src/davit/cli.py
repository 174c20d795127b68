"""The command line and the configuration file of ``davitd``; the environment is read here only."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from davit import __version__
from davit.config import DEFAULT_CONFIG_FILE, Settings
from davit.errors import DavitError, InvalidParameter
from davit.flags import OPTIONS, Option
from davit.model import log_options
from davit.model.config import LogConfig
from davit.sys import memory
from davit.sys.activation import take_sockets


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``davitd``; return its exit status."""
    parser = _parser()
    given = parser.parse_args(_spell_out(sys.argv[1:] if arguments is None else arguments))
    try:
        settings = _settings(given)
    except InvalidParameter as error:
        parser.error(error.message)
    _configure_logging(settings)
    memory.tune_allocator()
    memory.tune_sockets()
    # Imported late: --help and errors need not wait for the engine to load.
    with memory.lean_imports():
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


def _configure_logging(settings: Settings) -> None:
    logging.basicConfig(
        level=settings.logging_level,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    # They tell every header, and what the other side does wrong as if davit had failed.
    for name in ("hpack", "grpclib.protocol"):
        logging.getLogger(name).setLevel(logging.INFO)


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
    for option in OPTIONS:
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
    alone = {f"--{name}" for option in OPTIONS if not option.value for name in option.names}
    return [f"{word}=true" if word in alone else word for word in arguments]


def _settings(given: argparse.Namespace) -> Settings:
    """Merge defaults, configuration file and command line, the later over the earlier."""
    values = _read_file(getattr(given, "config", ""))
    for option in OPTIONS:
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
    by_name = {name: option for option in OPTIONS for name in option.names}
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


def _convert(option: Option, texts: list[str], place: str) -> Any:
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
