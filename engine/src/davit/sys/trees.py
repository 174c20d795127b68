"""Directories that containers have filled: as deep as they liked."""

from __future__ import annotations

import errno
import shutil
import subprocess
from pathlib import Path


def remove(path: Path) -> None:
    """Delete a directory with all in it. Blocking. Raises OSError."""
    try:
        shutil.rmtree(path)
        return
    except RecursionError:
        pass
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENAMETOOLONG):
            raise
    # shutil calls itself for each level and holds a descriptor of each; rm does neither.
    done = subprocess.run(
        ["rm", "--recursive", "--force", "--one-file-system", "--", str(path)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise OSError(errno.ENOTEMPTY, done.stderr.strip()[-200:], str(path))
