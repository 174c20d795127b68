"""What the options of a volume come to: calls of mount(2)."""

from __future__ import annotations

import pytest

from davit.drivers.volume.options import MountPlan, check, plan, size_of
from davit.errors import InvalidParameter
from davit.sys import mount


def resolve(host: str) -> str:
    return {"nas": "192.0.2.7", "nas6": "2001:db8::7"}[host]


@pytest.mark.parametrize(
    ("options", "planned"),
    [
        (
            {"type": "nfs", "o": "addr=nas,rw,nfsvers=4,soft", "device": ":/export"},
            MountPlan(":/export", "nfs", 0, "addr=192.0.2.7,nfsvers=4,soft"),
        ),
        (
            {"type": "nfs", "o": "nolock,addr=nas6", "device": "nas:/export"},
            MountPlan("nas:/export", "nfs", 0, "nolock,addr=2001:db8::7"),
        ),
        (
            {"type": "nfs", "o": "addr=192.0.2.1,ro", "device": ":/export"},
            MountPlan(":/export", "nfs", mount.MS_RDONLY, "addr=192.0.2.1"),
        ),
        (
            {"type": "cifs", "o": "username=a,password=b", "device": "//nas/share%20one"},
            MountPlan("//192.0.2.7/share one", "cifs", 0, "username=a,password=b"),
        ),
        (
            {"type": "cifs", "o": "addr=nas,guest", "device": "//nas/share"},
            MountPlan("//nas/share", "cifs", 0, "addr=192.0.2.7,guest"),
        ),
        (
            {"type": "none", "o": "rbind,ro,ro,rw,nosuid,rslave", "device": "/srv"},
            MountPlan(
                "/srv",
                "none",
                mount.MS_BIND | mount.MS_REC | mount.MS_NOSUID,
                propagation=mount.MS_SLAVE | mount.MS_REC,
            ),
        ),
        (
            {"type": "tmpfs", "device": "tmpfs", "o": "size=64m,uid=1000,noexec,exec"},
            MountPlan("tmpfs", "tmpfs", 0, "size=64m,uid=1000"),
        ),
    ],
)
def test_plan(options: dict[str, str], planned: MountPlan) -> None:
    check(options)
    assert plan(options, resolve) == planned


def test_passwords_are_not_told() -> None:
    planned = MountPlan("//nas/share", "cifs", 0, "username=a,password=secret")
    assert "secret" not in str(planned)
    assert "username=a,password=********" in str(planned)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"typ": "nfs"}, 'invalid option: "typ"'),
        ({"type": "nfs"}, 'missing required option: "device"'),
        ({"device": "/srv"}, 'missing required option: "type"'),
        ({"o": "bind", "device": "/srv"}, 'missing required option: "type"'),
        ({"size": "lots"}, "invalid size: 'lots'"),
        ({"size": "10g"}, 'quota size requested but no quota support: option "size" (10g)'),
        ({"type": "cifs", "device": "//nas:445/a"}, "port not allowed in CIFS device URL"),
    ],
)
def test_bad_options(options: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidParameter) as raised:
        check(options)
    assert raised.value.message.startswith(words)


def test_sizes() -> None:
    sizes = {"": 0, "0": 0, "100": 100, "1.5k": 1536, "2 MiB": 2 << 20, "1GB": 1 << 30}
    assert {text: size_of(text) for text in sizes} == sizes
    check({"size": "0"})
