from davit.services.networks.resolver import Resolvers, resolv_conf

HOST = Resolvers.parse(
    """\
# made by hand
domain old.example
search corp.example lab.example ; the last one counts
nameserver 127.0.0.53
nameserver 10.0.0.53
nameserver
options edns0 timeout:2
"""
)
NONE = Resolvers()


def test_a_resolv_conf_is_read() -> None:
    assert (
        Resolvers(
            ["127.0.0.53", "10.0.0.53"], ["corp.example", "lab.example"], ["edns0", "timeout:2"]
        )
        == HOST
    )


def test_the_default_network_uses_the_hosts_servers_that_can_be_reached() -> None:
    assert resolv_conf(NONE, HOST, ["bridge"]) == (
        "nameserver 10.0.0.53\nsearch corp.example lab.example\noptions edns0 timeout:2\n"
    )


def test_own_settings_come_first() -> None:
    own = Resolvers(["1.2.3.4"], ["."], ["rotate"])
    assert resolv_conf(own, HOST, ["bridge"]) == "nameserver 1.2.3.4\noptions rotate\n"
    assert resolv_conf(Resolvers(["127.0.0.1"]), NONE, []) == "nameserver 127.0.0.1\n"


def test_user_defined_networks_use_davits_server() -> None:
    assert resolv_conf(NONE, HOST, ["bridge", "app"]) == (
        "nameserver 127.0.0.11\nsearch corp.example lab.example\noptions edns0 timeout:2 ndots:0\n"
    )
    own = Resolvers(["1.2.3.4"], [], ["ndots:2"])
    assert resolv_conf(own, NONE, ["app"]) == "nameserver 127.0.0.11\noptions ndots:2\n"


def test_servers_on_the_hosts_loopback_are_asked_by_davit() -> None:
    host = Resolvers(["127.0.0.11"], ["corp.example"])
    assert resolv_conf(NONE, host, ["bridge"]) == "nameserver 127.0.0.11\nsearch corp.example\n"
    assert resolv_conf(Resolvers(["1.2.3.4"]), host, ["bridge"]).startswith("nameserver 1.2.3.4\n")
    assert resolv_conf(NONE, NONE, ["bridge"]) == ""
