"""Networks that take their configuration from another one."""

import pytest

from davit.errors import Forbidden, InvalidParameter, NotFound, NotSupported
from davit.model.filters import Filters
from davit.model.network import IPAM, ConfigReference, EndpointSettings, IPAMPool, NetworkSpec
from davit.services.networks import options
from tests.engine.services.networks.world import World, run_inside

POOLS = IPAM(config=[IPAMPool(subnet="10.232.5.0/24"), IPAMPool(subnet="fd00:231:5::/64")])


def taking(config: str, **others: object) -> NetworkSpec:
    reference = ConfigReference(network=config)
    return NetworkSpec(name="app", config_from=reference, **others)  # type: ignore[arg-type]


async def test_a_network_takes_everything_from_its_configuration(world: World) -> None:
    before = world.traces()
    await world.network(
        "conf",
        config_only=True,
        ipam=POOLS,
        enable_ipv6=True,
        labels={"a": "b"},
        options={options.MTU: "1400"},
    )
    assert world.traces() == before  # it is only written down
    conf = world.service.resolve("conf")
    assert (conf.driver, conf.bridge, conf.spec.ipam.config) == ("null", "", POOLS.config)
    app = await world.service.create(taking("conf", driver="bridge", internal=True))
    assert [pool.gateway for pool in app.spec.ipam.config] == ["10.232.5.1", "fd00:231:5::1"]
    assert app.spec.labels == {"a": "b"}
    web = await world.run("web", ["app"])
    assert web.endpoints["app"].addresses == ["10.232.5.2", "fd00:231:5::2"]
    assert "mtu 1400" in run_inside(web, "ip", "link", "show", "eth0")
    await world.restart([web.container_id])
    with pytest.raises(Forbidden, match='configuration network "conf" is in use: remove app'):
        await world.service.remove("conf")
    await world.service.leave(web.container_id)
    await world.service.settle()
    assert await world.service.prune(Filters()) == ["app"]
    await world.service.remove("conf")
    assert world.traces() == before


async def test_no_container_is_on_a_configuration(world: World) -> None:
    await world.network("conf", config_only=True)
    with pytest.raises(Forbidden, match="endpoint on configuration-only network conf"):
        world.service.check(world.service.resolve("conf"), EndpointSettings())


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        (taking("nowhere"), NotFound, "configuration network nowhere not found"),
        (taking("bridge"), Forbidden, "bridge is not a configuration network"),
        (taking("conf", options={"a": "b"}), Forbidden, "network app: network driver options"),
        (taking("conf", labels={"a": "b"}), Forbidden, "network app: user specified"),
        (taking("conf", ipam=POOLS), Forbidden, "network app: user specified"),
        (taking("conf", config_only=True), InvalidParameter, "from another one, conf"),
        (NetworkSpec(name="x", config_only=True, internal=True), Forbidden, "operator fields"),
        (NetworkSpec(name="x", ingress=True), NotSupported, "ingress networks are not supported"),
    ],
)
async def test_what_is_refused(
    world: World, spec: NetworkSpec, error: type[Exception], words: str
) -> None:
    await world.network("conf", config_only=True)
    before = world.traces(), world.service.select(Filters())
    with pytest.raises(error, match=words):
        await world.service.create(spec)
    assert (world.traces(), world.service.select(Filters())) == before
