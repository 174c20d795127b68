from davit.model.network import EndpointSettings, Sandbox
from davit.services.networks.resolver import Resolvers, answer, resolv_conf, reversed_address

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


def test_both_families_are_told_and_found() -> None:
    endpoint = EndpointSettings(
        ip_address="10.1.0.2", global_ipv6_address="fd00:0:0:1::2", dns_names=["web"]
    )
    web = Sandbox(
        container_id="c", name="web", hostname="c", netns="/n", endpoints={"App": endpoint}
    )
    for name in ("web", "web.app"):
        known = answer(name, web, [web])
        assert known is not None
        assert sorted(known.addresses) == ["10.1.0.2", "fd00:0:0:1::2"]
    six = "2." + "0." * 15 + "1." + "0." * 11 + "0.0.d.f.ip6.arpa"
    assert str(reversed_address(six)) == "fd00:0:0:1::2"
    for name in (six, "2.0.1.10.in-addr.arpa"):
        known = answer(name, web, [web])
        assert known is not None
        assert known.names == ["web.App"]
    for name in ("3.0.1.10.in-addr.arpa", "x.in-addr.arpa", "0.ip6.arpa", "x.ip6.arpa"):
        assert answer(name, web, [web]) is None
