from __future__ import annotations

import pytest

from davit.sys.mountinfo import Mounted, innermost

INFO = rb"""21 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 21 0:25 / /srv rw shared:7 - tmpfs t rw
31 30 0:26 / /srv/a\040b rw master:7 propagate_from:2 - tmpfs t rw
32 31 0:27 / /srv/a\040b rw shared:9 master:7 - tmpfs t rw
33 21 0:28 / /srv2 rw - tmpfs t rw
"""


@pytest.mark.parametrize(
    ("path", "mounted"),
    [
        ("/etc", Mounted("/", shared=False, slave=False)),
        ("/", Mounted("/", shared=False, slave=False)),
        ("/srv", Mounted("/srv", shared=True, slave=False)),
        ("/srv/a", Mounted("/srv", shared=True, slave=False)),
        ("/srv/a b/c", Mounted("/srv/a b", shared=True, slave=True)),
        ("/srv2/x", Mounted("/srv2", shared=False, slave=False)),
    ],
)
def test_the_innermost_mount(path: str, mounted: Mounted) -> None:
    assert innermost(path, INFO) == mounted
