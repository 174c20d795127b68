import socket

import pytest

from davit.errors import Conflict, InvalidParameter, NotSupported
from davit.model.config import PortBinding
from davit.services.networks.ports import Ports, wishes


def side(port: str = "", address: str = "") -> PortBinding:
    return PortBinding(host_ip=address, host_port=port)


def read(bindings: dict[str, list[PortBinding]]) -> list[tuple[str, str, int, int]]:
    return [
        (wish.port, wish.address, wish.candidates[0], wish.candidates[-1])
        for wish in wishes(bindings, "0.0.0.0")
    ]


def test_bindings_are_read() -> None:
    assert read({"80": [side("8080")]}) == [("80/tcp", "0.0.0.0", 8080, 8080)]
    assert read({"80/tcp": []}) == [("80/tcp", "0.0.0.0", 0, 0)]
    assert read({"53/udp": [side("", "127.0.0.1")]}) == [("53/udp", "127.0.0.1", 0, 0)]
    assert read({"80/tcp": [side("8000-8010")]}) == [("80/tcp", "0.0.0.0", 8000, 8010)]
    assert wishes({"80/tcp": []}, "127.0.0.1")[0].address == "127.0.0.1"


def test_anywhere_in_ipv6_beside_ipv4_is_left_out() -> None:
    both = [side("8080", "0.0.0.0"), side("8080", "::")]
    assert read({"80/tcp": both}) == [("80/tcp", "0.0.0.0", 8080, 8080)]


@pytest.mark.parametrize(
    ("port", "wish", "error", "words"),
    [
        ("80/tcp", side("8080", "::"), NotSupported, "80/tcp on ::"),
        ("80/tcp", side("8080", "::1"), NotSupported, "80/tcp on ::1"),
        ("80/sctp", side(), NotSupported, "80/sctp"),
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
