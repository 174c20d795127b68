"""The text of a container's ``/etc/hosts`` (hosts(5)), and changes of it. Pure.

While a container runs the file is the container's, too: a change touches the lines that davit wrote
and leaves everything else as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

HOST_GATEWAY = "host-gateway"
"""Stands for the host's address in ``ExtraHosts``."""

_FIXED = (
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::0\tip6-localnet",
    "ff00::0\tip6-mcastprefix",
    "ff02::1\tip6-allnodes",
    "ff02::2\tip6-allrouters",
)


def render(
    extra_hosts: Iterable[str],
    own: Sequence[str],
    *,
    gateways: Sequence[str],
    links: Iterable[str] = (),
) -> str:
    """The whole file.

    extra_hosts: ``name:address``; gateways: what ``host-gateway`` in them stands for; own, links:
    lines (:func:`own_lines`) for the container itself and for those it links to.
    """
    lines = list(_FIXED)
    for entry in extra_hosts:
        name, address = split_extra_host(entry)
        lines += [f"{to}\t{name}" for to in (gateways if address == HOST_GATEWAY else [address])]
    return _text([*lines, *links, *own])


def own_lines(addresses: Iterable[str], hostname: str, domainname: str = "") -> list[str]:
    """A container's own lines, one for each address."""
    full = f"{hostname}.{domainname}" if domainname else hostname
    names = " ".join(dict.fromkeys((full, hostname, hostname.partition(".")[0])))
    return [f"{address}\t{names}" for address in addresses]


def added(text: str, lines: Iterable[str]) -> str:
    """``text`` with those of ``lines`` at its end that it has not."""
    present = text.splitlines()
    return _text([*present, *(line for line in lines if line not in present)])


def dropped(text: str, lines: Iterable[str]) -> str:
    """``text`` without ``lines``."""
    gone = set(lines)
    return _text(line for line in text.splitlines() if line not in gone)


def relinked(text: str, alias: str, lines: Sequence[str]) -> str:
    """``text`` with the lines whose first name is ``alias`` replaced; as it was if it has none."""
    result: list[str] = []
    todo = list(lines)
    for line in text.splitlines():
        if line.partition("#")[0].split()[1:2] != [alias]:
            result.append(line)
        else:
            result += todo
            todo = []
    return _text(result)


def split_extra_host(entry: str) -> tuple[str, str]:
    """``name:address`` or ``name=address``; the address may be in brackets."""
    separator = "=" if "=" in entry else ":"
    name, _, address = entry.partition(separator)
    return name, address.removeprefix("[").removesuffix("]")


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
