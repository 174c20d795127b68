"""The Docker CLI: links, names and networks that come and go while containers run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.engine.conftest import Davitd, new_davitd


@pytest.fixture
def davitd(shared_davitd: Davitd) -> Iterator[Davitd]:
    """The module's daemon; every test leaves it without containers and networks."""
    yield shared_davitd
    ids = shared_davitd.docker("ps", "-aq").stdout.split()
    if ids:
        shared_davitd.docker("rm", "-f", "-v", *(name.decode() for name in ids))
    shared_davitd.docker("network", "prune", "-f")


def output(done: subprocess.CompletedProcess[bytes]) -> str:
    return done.stdout.decode().strip()


def run(davitd: Davitd, name: str, *arguments: str) -> None:
    davitd.docker("run", "-d", "--name", name, *arguments, "busybox", "sleep", "600")


def inside(davitd: Davitd, name: str, *command: str) -> str:
    return output(davitd.docker("exec", name, *command))


def shown(davitd: Davitd, name: str, template: str) -> object:
    return json.loads(output(davitd.docker("inspect", "-f", f"{{{{json {template}}}}}", name)))


def test_link_on_the_default_network(davitd: Davitd) -> None:
    run(davitd, "db", "-e", "USER=me", "--expose", "5432")
    run(davitd, "web", "--link", "db:sql")
    assert shown(davitd, "web", ".HostConfig.Links") == ["/db:/web/sql"]
    environment = inside(davitd, "web", "env")
    assert "SQL_NAME=/web/sql" in environment
    assert "SQL_ENV_USER=me" in environment
    assert "SQL_PORT_5432_TCP_PORT=5432" in environment
    inside(davitd, "web", "ping", "-c1", "-w5", "sql")
    names = output(davitd.docker("ps", "--no-trunc", "-f", "name=db", "--format", "{{.Names}}"))
    assert sorted(names.split(",")) == ["db", "web/sql"]
    davitd.docker("rm", "--link", "web/sql")
    assert shown(davitd, "web", ".HostConfig.Links") is None
    assert "sql" not in inside(davitd, "web", "cat", "/etc/hosts")


def test_without_icc_a_link_opens_what_is_exposed() -> None:
    with new_davitd("--icc=false", "--ipv6") as davitd:
        davitd.load_busybox()
        serve = "httpd -p 80; httpd -p 81; sleep 600"
        davitd.docker(
            *("run", "-d", "--name", "db", "--expose", "80"),
            *("busybox", "sh", "-c", serve),
        )
        run(davitd, "web", "--link", "db")
        run(davitd, "other")

        def connects(client: str, port: int) -> bool:
            address = shown(davitd, "db", ".NetworkSettings.IPAddress")
            call = ("exec", client, "nc", "-w2", str(address), str(port))
            return davitd.docker(*call, check=False).returncode == 0

        address = str(shown(davitd, "db", ".NetworkSettings.Networks.bridge.GlobalIPv6Address"))
        assert address.startswith("fd")
        assert address not in inside(davitd, "web", "cat", "/etc/hosts"), "links are of IPv4"
        assert connects("web", 80)
        assert not connects("web", 81)
        assert not connects("other", 80)
        davitd.docker("stop", "-t0", "db")
        run(davitd, "third")  # has db's address now
        davitd.docker("start", "db")
        assert connects("web", 80)
        assert not connects("other", 80)
        davitd.docker("rm", "--link", "web/db")
        assert not connects("web", 80)
        davitd.docker("rm", "-f", "db", "web", "other", "third")


def test_link_to_what_is_not_there_or_does_not_run(davitd: Davitd) -> None:
    done = davitd.docker("create", "--link", "nobody", "busybox", check=False)
    assert done.returncode == 1
    assert b"could not get container for nobody" in done.stderr
    davitd.docker("create", "--name", "db", "busybox")
    done = davitd.docker("run", "--name", "web", "--link", "db", "busybox", check=False)
    assert done.returncode == 125
    assert b"Cannot link to a non running container: /db AS /web/db" in done.stderr


def test_link_on_a_network_is_an_alias_for_one(davitd: Davitd) -> None:
    davitd.docker("network", "create", "app")
    run(davitd, "db", "--network", "app")
    run(davitd, "web", "--network", "app", "--link", "db:sql")
    run(davitd, "cli", "--network", "app")
    assert shown(davitd, "web", ".NetworkSettings.Networks.app.Links") == ["db:sql"]
    assert shown(davitd, "web", ".HostConfig.Links") is None
    inside(davitd, "web", "ping", "-c1", "-w5", "sql")
    done = davitd.docker("exec", "cli", "nslookup", "-type=a", "sql.", check=False)
    assert done.returncode != 0


def test_hosts_and_names_follow_connections(davitd: Davitd) -> None:
    davitd.docker("network", "create", "one")
    davitd.docker("network", "create", "two")
    run(davitd, "web", "--network", "one")
    run(davitd, "cli", "--network", "two")
    before = inside(davitd, "web", "cat", "/etc/hosts")
    davitd.docker("network", "connect", "--alias", "www", "two", "web")
    address = shown(davitd, "web", ".NetworkSettings.Networks.two.IPAddress")
    line = f"{address}\t{shown(davitd, 'web', '.Config.Hostname')}"
    assert inside(davitd, "web", "cat", "/etc/hosts") == f"{before}\n{line}"
    for name in ("web", "www", "www.two", "WEB"):
        inside(davitd, "cli", "ping", "-c1", "-w5", name)
    davitd.docker("network", "disconnect", "two", "web")
    assert inside(davitd, "web", "cat", "/etc/hosts") == before
    assert davitd.docker("exec", "cli", "ping", "-c1", "-w1", "web", check=False).returncode != 0


def test_name_servers_search_domains_and_options(davitd: Davitd) -> None:
    asked = (
        *("--dns", "192.0.2.1", "--dns", "192.0.2.2", "--dns-search", "corp.example"),
        *("--dns-search", "lab.example", "--dns-option", "ndots:3", "--dns-option", "rotate"),
    )
    command = ("busybox", "cat", "/etc/resolv.conf")
    expected = "search corp.example lab.example\noptions ndots:3 rotate"
    assert output(davitd.docker("run", "--rm", *asked, *command)) == (
        f"nameserver 192.0.2.1\nnameserver 192.0.2.2\n{expected}"
    )
    davitd.docker("network", "create", "app")
    shown = output(davitd.docker("run", "--rm", "--network", "app", *asked, *command))
    assert shown == f"nameserver 127.0.0.11\n{expected}"
    shown = output(davitd.docker("run", "--rm", "--dns-search", ".", *command))
    assert "search" not in shown


def test_names_of_the_container_itself_and_of_the_host(davitd: Davitd) -> None:
    done = davitd.docker(
        *("run", "--rm", "--hostname", "web", "--domainname", "corp.example"),
        *("--add-host", "host.docker.internal:host-gateway", "--add-host", "db=192.0.2.7"),
        *("busybox", "sh", "-c", "hostname -f; cat /etc/hosts; ip route"),
    )
    lines = output(done).splitlines()
    gateway = next(line.split()[2] for line in lines if line.startswith("default via"))
    assert lines[0] == "web.corp.example"
    assert f"{gateway}\thost.docker.internal" in lines
    assert "192.0.2.7\tdb" in lines


def test_names_outlive_davitd(davitd: Davitd) -> None:
    davitd.docker("network", "create", "app")
    run(davitd, "web", "--network", "app")
    run(davitd, "cli", "--network", "app")
    run(davitd, "old")
    run(davitd, "new", "--link", "old:older")
    davitd.kill()
    davitd.start()
    inside(davitd, "cli", "ping", "-c1", "-w5", "web")
    davitd.docker("network", "disconnect", "app", "web")
    davitd.docker("network", "connect", "--alias", "www", "app", "web")
    inside(davitd, "cli", "ping", "-c1", "-w5", "www")
    davitd.docker("restart", "-t0", "old")
    inside(davitd, "new", "ping", "-c1", "-w5", "older")


def test_an_alias_needs_a_network_with_names(davitd: Davitd) -> None:
    davitd.docker("network", "create", "app")
    run(davitd, "web", "--network", "app")
    done = davitd.docker("network", "connect", "--alias", "www", "bridge", "web", check=False)
    assert b"network-scoped aliases are only supported for user-defined networks" in done.stderr


def test_connecting_twice(davitd: Davitd) -> None:
    davitd.docker("network", "create", "app")
    run(davitd, "web")
    body = {"Container": "web", "EndpointConfig": {"Aliases": ["www"]}}
    assert davitd.client.post("/networks/app/connect", body).status == 200
    again = davitd.client.post("/networks/app/connect", body)
    assert again.status == 403
    assert again.message.startswith("endpoint with name web already exists in network app")
    davitd.docker("stop", "-t0", "web")
    assert davitd.client.post("/networks/app/connect", body).status == 200
    davitd.docker("start", "web")
    assert shown(davitd, "web", ".NetworkSettings.Networks.app.Aliases") == ["www"]
    davitd.docker("network", "disconnect", "app", "web")
    assert davitd.client.post("/networks/app/disconnect", {"Container": "web"}).status == 409


def test_a_stopped_container_forgets_a_network_that_is_gone(davitd: Davitd) -> None:
    davitd.docker("network", "create", "app")
    davitd.docker("create", "--name", "web", "busybox", "true")
    davitd.docker("network", "connect", "app", "web")
    davitd.docker("network", "rm", "app")
    assert davitd.docker("start", "web", check=False).returncode != 0
    davitd.docker("network", "disconnect", "-f", "app", "web")
    davitd.docker("start", "web")
