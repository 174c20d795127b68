"""What the kernel tells of changes, in a namespace where nobody else makes any."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from socket import AF_INET, AF_INET6

import pytest

from davit.drivers import nft
from davit.drivers.notices import LinkChanges, LinkNotices, TableChanges, TableNotices
from davit.sys import netns

ELEMENT = "element ip ours m { 80 : 10.0.0.1 }\n"
CHAIN = "chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }\n"


@pytest.fixture
def namespace() -> Iterator[int]:
    made = netns.create()
    yield made
    os.close(made)


@pytest.fixture
def notices(namespace: int) -> Iterator[TableNotices]:
    with netns.inside(namespace):
        made = TableNotices("ours")
    yield made
    made.close()


def test_transactions_that_touch_the_table_are_counted(
    namespace: int, notices: TableNotices
) -> None:
    assert notices.take() == TableChanges()
    nft.apply("table ip ours {\nmap m { type inet_service : ipv4_addr; }\n}\n", namespace)
    assert notices.take() == TableChanges(transactions=1)
    nft.apply(f"add {ELEMENT}", namespace)
    nft.apply(f"delete {ELEMENT}", namespace)
    assert notices.take() == TableChanges(transactions=2)
    nft.apply("table ip other {\nchain c { }\n}\n", namespace)
    assert notices.take() == TableChanges()
    nft.apply("flush ruleset", namespace)
    assert notices.take() == TableChanges(transactions=1)


def test_a_policy_of_the_host_is_told(namespace: int, notices: TableNotices) -> None:
    nft.apply("table ip filter { }\nadd " + CHAIN, namespace)
    assert notices.take() == TableChanges(host_chains=True)
    nft.apply("add rule ip filter FORWARD accept", namespace)
    assert notices.take() == TableChanges()


def test_more_than_the_socket_holds_may_be_anything(namespace: int, notices: TableNotices) -> None:
    names = "".join(f"add table ip t{number}\n" for number in range(4000))
    nft.apply(names, namespace)
    found = notices.take()
    assert found.transactions >= 1
    assert found.host_chains
    assert notices.take() == TableChanges()


def test_links_that_go_and_forwarding_that_ends(namespace: int) -> None:
    with netns.inside(namespace), contextlib.closing(LinkNotices()) as notices:
        for command in ("link add b0 type bridge", "link set b0 up", "link delete b0"):
            subprocess.run(["ip", *command.split()], check=True)
        assert notices.take() == LinkChanges(deleted={"b0"})
        for key, family in (("ipv4/ip_forward", AF_INET), ("ipv6/conf/all/forwarding", AF_INET6)):
            for value in ("1", "0"):
                Path("/proc/sys/net", key).write_text(value)
            assert notices.take() == LinkChanges(stopped_forwarding={family})
