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


@pytest.mark.parametrize("policy", ["accept", "drop"])
def test_whether_iptables_drops_what_it_forwards(policy: str) -> None:
    namespace = netns.create()
    chain = f"chain FORWARD {{ type filter hook forward priority 0; policy {policy}; }}"
    nft.apply(f"table ip filter {{\n{chain}\n}}", namespace)
    with netns.inside(namespace):
        assert nft.drops_forwarded() == (policy == "drop")
    os.close(namespace)


def test_a_host_without_iptables_drops_nothing() -> None:
    namespace = netns.create()
    with netns.inside(namespace):
        assert not nft.drops_forwarded()
    os.close(namespace)
