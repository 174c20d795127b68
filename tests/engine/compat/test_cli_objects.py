"""The Docker CLI on everything that is no container: inspect, prune, df, context, events, info."""

from __future__ import annotations

import json
import subprocess
import time

from tests.engine.compat.cli import output, run
from tests.engine.conftest import Davitd


def test_inspect_by_type_and_with_size(davitd: Davitd) -> None:
    container = run(davitd, "--name", "same")
    davitd.docker("volume", "create", "same")
    assert json.loads(davitd.docker("inspect", "same").stdout)[0]["Id"] == container
    (volume,) = json.loads(davitd.docker("inspect", "--type", "volume", "same").stdout)
    assert volume["Driver"] == "local"
    (image,) = json.loads(davitd.docker("inspect", "--type", "image", "busybox").stdout)
    assert image["RepoTags"] == ["busybox:latest"]
    (network,) = json.loads(davitd.docker("inspect", "bridge").stdout)
    assert network["Name"] == "bridge"
    davitd.docker("exec", "same", "sh", "-c", "head -c 5000 /dev/zero > /file")
    (sized,) = json.loads(davitd.docker("inspect", "-s", "same").stdout)
    assert sized["SizeRw"] >= 5000
    assert sized["SizeRootFs"] > sized["SizeRw"]
    shown = davitd.docker("inspect", "-f", "{{.Name}} {{.Config.Image}}", "same")
    assert output(shown) == "/same busybox"
    done = davitd.docker("inspect", "same", "nothing", check=False)
    assert done.returncode == 1
    assert b"No such object: nothing" in done.stderr
    davitd.docker("rm", "-f", "same")
    davitd.docker("volume", "rm", "same")


def test_prune_networks_and_volumes(davitd: Davitd) -> None:
    davitd.docker("network", "create", "--label", "keep=no", "idle")
    davitd.docker("network", "create", "used")
    run(davitd, "--network", "used", "-v", "/anonymous", "--name", "box")
    assert "idle" in output(davitd.docker("network", "prune", "-f", "--filter", "label=keep=no"))
    names = output(davitd.docker("network", "ls", "--format", "{{.Name}}")).split()
    assert sorted(names) == ["bridge", "host", "none", "used"]
    davitd.docker("rm", "-f", "box")
    (left,) = output(davitd.docker("volume", "ls", "-q")).split()
    assert left in output(davitd.docker("volume", "prune", "-f"))
    davitd.docker("network", "rm", "used")


def test_context(davitd: Davitd) -> None:
    """A context instead of -H; the test has a configuration of its own."""
    socket = f"unix://{davitd.socket}"
    davitd.docker("context", "create", "harbour", "--docker", f"host={socket}")
    argv = [davitd.cli, "--config", str(davitd.root / "docker"), "--context", "harbour"]
    try:
        shown = subprocess.run(
            [*argv, "version", "-f", "{{.Server.Os}}"], capture_output=True, check=True
        )
        assert shown.stdout == b"linux\n"
        listed = output(davitd.docker("context", "ls", "--format", "{{.Name}}")).split()
        assert set(listed) == {"default", "harbour"}
    finally:
        davitd.docker("context", "rm", "-f", "harbour")


def test_events_with_filters(davitd: Davitd) -> None:
    since = str(int(time.time()))
    name = f"net{time.time_ns()}"
    davitd.docker("network", "create", name)
    davitd.docker("run", "--rm", "--network", name, "--label", f"of={name}", "busybox", "true")
    davitd.docker("network", "rm", name)
    until = str(int(time.time()) + 1)

    def events(*filters: str) -> list[str]:
        chosen = [word for text in filters for word in ("-f", text)]
        done = davitd.docker(
            *("events", "--since", since, "--until", until, *chosen),
            *("--format", "{{.Type}} {{.Action}}"),
        )
        return output(done).splitlines()

    assert events(f"network={name}", "type=network") == [
        "network create",
        "network connect",
        "network disconnect",
        "network destroy",
    ]
    assert events(f"label=of={name}", "event=die", "event=start") == [
        "container start",
        "container die",
    ]


def test_info_and_version_formats(davitd: Davitd) -> None:
    run(davitd, "--name", "box")
    shown = output(davitd.docker("info", "-f", "{{.ContainersRunning}} {{.CgroupDriver}}"))
    assert shown == "1 cgroupfs"
    text = output(davitd.docker("info"))
    assert "Storage Driver: overlay2" in text
    assert "ERROR" not in text
    client, server = output(
        davitd.docker("version", "-f", "{{.Client.APIVersion}} {{.Server.APIVersion}}")
    ).split()
    assert [int(part) for part in client.split(".")] <= [1, 51]
    assert server == "1.51"
    assert "Engine:" in output(davitd.docker("version"))


def test_lists_of_nothing(davitd: Davitd) -> None:
    done = davitd.docker("swarm", "leave", check=False)
    assert b"This node is not part of a swarm" in done.stderr
    done = davitd.docker("service", "ls", check=False)
    assert b"This node is not a swarm manager" in done.stderr
