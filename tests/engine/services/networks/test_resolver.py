from davit.model.network import JoinRequest
from davit.services.networks.resolver import Resolvers, hosts, resolv_conf

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


def test_hosts() -> None:
    request = JoinRequest(
        container_id="c",
        name="web",
        hostname="www",
        endpoints={},
        extra_hosts=["db:10.0.0.7", "six=[fd00::1]", "outer:fd00::2", "me:host-gateway"],
    )
    lines = hosts(request, "corp.example", ["10.1.0.2", "10.2.0.2"], "10.1.0.1").splitlines()
    assert lines[:2] == ["127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback"]
    assert lines[-6:] == [
        "10.0.0.7\tdb",
        "fd00::1\tsix",
        "fd00::2\touter",
        "10.1.0.1\tme",
        "10.1.0.2\twww.corp.example www",
        "10.2.0.2\twww.corp.example www",
    ]


def test_a_full_name_has_its_first_part_beside_it() -> None:
    request = JoinRequest(container_id="c", name="web", hostname="www.a.b", endpoints={})
    assert hosts(request, "", ["10.1.0.2"], "").splitlines()[-1] == "10.1.0.2\twww.a.b www"
