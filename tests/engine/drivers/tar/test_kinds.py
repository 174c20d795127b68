"""The type flags of members are those that ``tarfile`` knows."""

from __future__ import annotations

import tarfile

from davit.drivers.tar import kinds


def test_flags() -> None:
    names = [name for name in vars(kinds) if name.isupper()]
    assert len(names) > 10
    for name in names:
        assert getattr(kinds, name) == getattr(tarfile, name), name
