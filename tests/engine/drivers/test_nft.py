import os
import subprocess

import pytest

from davit.drivers import nft
from davit.errors import SystemFailure, Unavailable
from davit.sys import netns


def test_a_batch_is_applied_in_a_namespace_whole_or_not_at_all() -> None:
    namespace = netns.create()
    nft.apply("table ip good { }", namespace)
    with pytest.raises(SystemFailure, match=r"nft refused the packet filter rules: .*No such file"):
        nft.apply("table ip better { }\ndelete table ip absent\n", namespace)
    with netns.inside(namespace):
        listed = subprocess.run(
            ["nft", "list", "tables"], capture_output=True, text=True, check=True
        )
    assert listed.stdout == "table ip good\n"
    os.close(namespace)


def test_no_nft(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Unavailable, match="install the package nftables"):
        nft.apply("")
