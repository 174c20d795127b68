"""What is rendered reads back as it was."""

from __future__ import annotations

import sys

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.davit.fleet.plugins.filter.toml import to_toml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"log-level": "debug", "mtu": 1400, "debug": True, "ratio": 0.5},
        {"hosts": ["unix:///run/davit/davit.sock", "tcp://0.0.0.0:2376"]},
        {"default-address-pools": [{"base": "10.0.0.0/8", "size": 24}]},
        {"labels": {"a b": 'quote " backslash \\ tab \t DEL \x7f é'}},
        {"empty": [], "nothing": {}},
    ],
)
def test_reads_back(settings):
    assert tomllib.loads(to_toml(settings)) == settings


def test_sorted_and_without_nones():
    assert to_toml({"b": 1, "a": None, "0": "x"}) == '0 = "x"\nb = 1\n'


def test_refuses_what_toml_lacks():
    with pytest.raises(AnsibleFilterError, match=r"labels\.x is a NoneType|labels is a object"):
        to_toml({"labels": [object()]})


def test_refuses_a_list():
    with pytest.raises(AnsibleFilterError, match="needs a dictionary, got list"):
        to_toml([1])
