"""What davitd's options become for Moby's daemon."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.davit.fleet.plugins.filter import moby
from ansible_collections.davit.fleet.plugins.filter.moby import to_daemon_json
from davit.flags import OPTIONS

# The role decides these for both.
DECIDED = {"group", "pidfile", "default-runtime", "conmon", "init-path"}


def test_each_option_of_davitd_has_an_answer():
    known = moby.SAME | set(moby.RENAMED) | set(moby.LACKING)
    assert known - {"default-runtime"} == {option.names[0] for option in OPTIONS} - DECIDED


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ({}, {}),
        ({"mtu": 1400, "dns": None}, {"mtu": 1400}),
        ({"log-opt": ["max-size=1m", "tag=a=b"]}, {"log-opts": {"max-size": "1m", "tag": "a=b"}}),
        ({"add-runtime": ["kata=/bin/kata"]}, {"runtimes": {"kata": {"path": "/bin/kata"}}}),
        (
            {"default-address-pool": [{"base": "10.0.0.0/8", "size": 24}]},
            {"default-address-pools": [{"base": "10.0.0.0/8", "size": 24}]},
        ),
        ({"host": ["unix:///run/davit/davit.sock"]}, {"hosts": ["fd://"]}),
        (
            {"host": ["unix:///var/run/docker.sock", "tcp://127.0.0.1:2375"]},
            {"hosts": ["fd://", "tcp://127.0.0.1:2375"]},
        ),
        (
            {"host": ["unix:///run/davit/davit.sock", "tcp://:2376"], "tls": False},
            {"hosts": ["fd://", "tcp://:2376"], "tls": False},
        ),
        (
            {"host": ["unix:///srv/s", "tcp://0.0.0.0:2376"], "tlsverify": True},
            {"hosts": ["fd://", "unix:///srv/s", "tcp://0.0.0.0:2376"], "tlsverify": True},
        ),
    ],
)
def test_what_means_the_same(options, settings):
    assert to_daemon_json(options) == settings


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"gc-grace": 60}, ["gc-grace", "not for hosts with Moby", "davit only"]),
        ({"shutdown-timeout": 5}, ["shutdown-timeout", "containers"]),
        ({"live-restore": True}, ["live-restore", "none of davitd's"]),
        ({"host": ["tcp://0.0.0.0:2375"]}, ["tcp://0.0.0.0:2375", "davit_engine_tls"]),
    ],
)
def test_what_does_not(options, words):
    with pytest.raises(AnsibleFilterError) as raised:
        to_daemon_json(options)
    for word in words:
        assert word in str(raised.value)
