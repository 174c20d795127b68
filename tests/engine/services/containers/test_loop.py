"""Nothing of a container's life blocks the event loop."""

from __future__ import annotations

from typing import Any

from davit.model.container import UpdateRequest
from davit.model.filters import Filters
from davit.model.network import EndpointSettings, NetworkSpec
from tests.engine.services.containers.world import World


async def test_the_loop_goes_on(world: World, blockbuster: Any) -> None:
    await world.networks.create(NetworkSpec(name="net", driver="bridge"))
    await world.create(
        "box",
        *("sleep", "1000"),
        Healthcheck={"Test": ["CMD", "true"], "Interval": 10**6},
        HostConfig={
            "Binds": ["data:/etc", "/tmp:/host"],
            "IpcMode": "shareable",
            "PortBindings": {"80/tcp": [{}]},
            "Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/nix"}],
        },
    )
    await world.containers.start("box")
    await world.containers.inspect("box", size=True)
    await world.containers.select(Filters({"ancestor": ["busybox"]}), size=True)
    await world.containers.connect("net", "box", EndpointSettings())
    await world.containers.update("box", UpdateRequest(cpu_shares=512))
    await world.containers.rename("box", "other")
    await world.containers.top("other")
    await world.containers.pause("other")
    await world.containers.unpause("other")
    await world.containers.disconnect("net", "other")
    await world.containers.restart("other", timeout=0)
    await world.containers.stop("other", timeout=0)
    await world.containers.start("other")
    await world.containers.kill("other")
    await world.containers.remove("other", volumes=True)
    await world.settle()
    await world.volumes.remove("data")
