"""Stand in for pip's get-pip.py: same arguments, but the pip that comes with Python.

`scripts/sanity` hands it to ansible-test, which otherwise downloads an installer.
"""

import subprocess
import sys

packages = [argument for argument in sys.argv[1:] if not argument.startswith("--")]

subprocess.run(
    [sys.executable, "-m", "ensurepip", "--default-pip"], check=True, stdout=subprocess.DEVNULL
)
wanted = [package for package in packages if package.partition("==")[0] != "pip"]
if wanted:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *wanted], check=True)
