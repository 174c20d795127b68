import socket

import pytest

from davit.errors import Conflict, InvalidParameter, NotSupported
from davit.model.config import PortBinding
from davit.services.networks.ports import Ports, wishes


def side(port: str = "", address: str = "") -> PortBinding:
    return PortBinding(host_ip=address, host_port=port)


def read(bindings: dict[str, list[PortBinding]]) -> list[tuple[str, str, int, int]]:
    return [
        (wish.port, wish.addresses[0], wish.candidates[0], wish.candidates[-1])
        for wish in wishes(bindings, "0.0.0.0")
    ]


def test_bindings_are_read() -> None:
    assert read({"80": [side("8080")]}) == [("80/tcp", "0.0.0.0", 8080, 8080)]
    assert read({"80/tcp": []}) == [("80/tcp", "0.0.0.0", 0, 0)]
    assert read({"53/udp": [side("", "127.0.0.1")]}) == [("53/udp", "127.0.0.1", 0, 0)]
    assert read({"80/tcp": [side("8000-8010")]}) == [("80/tcp", "0.0.0.0", 8000, 8010)]
    assert wishes({"80/tcp": []}, "127.0.0.1", families=(4, 6))[0].addresses == ("127.0.0.1",)


def test_anywhere_in_ipv6_beside_ipv4_is_left_out() -> None:
    both = [side("8080", "0.0.0.0"), side("8080", "::")]
    assert read({"80/tcp": both}) == [("80/tcp", "0.0.0.0", 8080, 8080)]


def test_anywhere_is_both_families_where_the_container_has_both() -> None:
    for sides in ([side("8080")], [side("8080"), side("8080", "::")]):
        (wish,) = wishes({"80/tcp": sides}, families=(4, 6))
        assert (wish.addresses, wish.candidates) == (("0.0.0.0", "::"), range(8080, 8081))
    both = [side("8080", "0.0.0.0"), side("8080", "::")]
    assert [wish.addresses for wish in wishes({"80/tcp": both}, families=(4, 6))] == [
        ("0.0.0.0",),
        ("::",),
    ]


@pytest.mark.parametrize(
    ("port", "wish", "error", "words"),
    [
        ("80/tcp", side("8080", "::"), NotSupported, "80/tcp on ::"),
        ("80/udp", side("8080", "::1"), NotSupported, "80/udp on ::1"),
        ("80/dccp", side(), NotSupported, "80/dccp"),
        ("0/tcp", side(), InvalidParameter, "'0/tcp'"),
        ("x", side(), InvalidParameter, "'x'"),
        ("80/tcp", side("", "1.2.3"), InvalidParameter, "'1.2.3' for port 80/tcp"),
        ("80/tcp", side("web"), InvalidParameter, "'web' for port 80/tcp"),
        ("80/tcp", side("70000"), InvalidParameter, "'70000'"),
        ("80/tcp", side("9-8"), InvalidParameter, "'9-8'"),
    ],
)
def test_bad_bindings_are_refused(
    port: str, wish: PortBinding, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        wishes({port: [wish]})


def free_ports(count: int) -> list[int]:
    """Free TCP ports next to each other."""
    for first in range(20000, 30000, count):
        sockets = []
        try:
            for port in range(first, first + count):
                sockets.append(socket.socket())
                sockets[-1].bind(("0.0.0.0", port))
        except OSError:
            continue
        else:
            return list(range(first, first + count))
        finally:
            for bound in sockets:
                bound.close()
    raise AssertionError("no free ports")


def test_a_range_gives_the_first_free_port() -> None:
    first, second = free_ports(2)
    ports = Ports()
    ranged = wishes({"80/tcp": [side(f"{first}-{second}")]})
    assert ports.claim("a", "a", ranged)["80/tcp"][0].host_port == str(first)
    assert ports.claim("b", "b", ranged)["80/tcp"][0].host_port == str(second)
    with pytest.raises(Conflict, match=rf"Bind for 0.0.0.0:{first}-{second} failed: port is alr"):
        ports.claim("c", "c", ranged)
    ports.release("a")
    assert ports.claim("c", "c", ranged)["80/tcp"][0].host_port == str(first)
    ports.close()


@pytest.mark.parametrize(("port", "address"), [("53/udp", "::1"), ("80/tcp", "fe80::1")])
def test_what_cannot_be_translated_is_refused(port: str, address: str) -> None:
    with pytest.raises(NotSupported, match=f"on {address}: the kernel does not translate"):
        wishes({port: [side("", address)]}, families=(4, 6))


def test_the_loopback_of_ipv6_leads_to_either_family() -> None:
    for families in ((4,), (6,), (4, 6)):
        (wish,) = wishes({"80/tcp": [side("8080", "::1")]}, families=families, routed=families)
        assert (wish.addresses, wish.opened) == (("::1",), ())


def test_a_port_is_the_same_on_both_families() -> None:
    (port,) = free_ports(1)
    ports = Ports()
    with socket.socket(socket.AF_INET6) as other:
        other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        other.bind(("::1", port))
        with pytest.raises(Conflict, match="another process on the host has it"):
            ports.claim("a", "a", wishes({"80/tcp": [side(str(port))]}, families=(4, 6)))
        (held,) = ports.claim("a", "a", wishes({"80/tcp": [side(str(port))]}))["80/tcp"]
        assert held.host_ip == "0.0.0.0"
    ports.release("a")
    chosen = ports.claim("a", "a", wishes({"80/tcp": []}, families=(4, 6)))["80/tcp"]
    assert [held.host_ip for held in chosen] == ["0.0.0.0", "::"]
    assert chosen[0].host_port == chosen[1].host_port
    with pytest.raises(Conflict, match="container 'a' has it"):
        ports.claim(
            "b", "b", wishes({"80/tcp": [side(chosen[0].host_port, "::")]}, families=(4, 6))
        )
    ports.close()


def test_sctp_is_published_where_the_kernel_has_it() -> None:
    ports, refusal = Ports(), ""
    try:
        held = ports.claim("a", "a", wishes({"80/sctp": []}))
    except NotSupported as error:
        refusal = error.message
    else:
        assert int(held["80/sctp"][0].host_port) > 0
    ports.close()
    assert not refusal or "80/sctp on 0.0.0.0: the host's kernel has no SCTP" in refusal


def test_all_or_none() -> None:
    first, second = free_ports(2)
    ports = Ports()
    ports.claim("a", "a", wishes({"80/tcp": [side(str(second))]}))
    with pytest.raises(Conflict, match="container 'a' has it"):
        ports.claim("b", "b", wishes({"80/tcp": [side(str(first)), side(str(second))]}))
    ports.claim("c", "c", wishes({"80/tcp": [side(str(first))]}))
    ports.close()


def test_a_held_port_is_refused_to_servers_of_the_host() -> None:
    (port,) = free_ports(1)
    ports = Ports()
    ports.claim("a", "a", wishes({"80/tcp": [side(str(port))]}))
    with pytest.raises(OSError, match="in use"):
        socket.create_server(("127.0.0.1", port))
    ports.release("a")
    socket.create_server(("127.0.0.1", port)).close()


def test_a_port_with_old_connections_is_free() -> None:
    """A server that closed its connections leaves them in TIME_WAIT for a minute."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = server.accept()
            accepted.close()
            assert client.recv(1) == b""
    ports = Ports()
    ports.claim("a", "a", wishes({"80/tcp": [side(str(port), "127.0.0.1")]}))
    with pytest.raises(OSError, match="in use"):
        socket.create_server(("127.0.0.1", port))
    ports.close()
