import pytest

from davit.errors import InvalidParameter
from davit.model import codec
from davit.model.config import ContainerConfig, HostConfig


def test_null_is_absent() -> None:
    host = codec.parse(b'{"Binds": null, "PortBindings": {"80/tcp": null}}', HostConfig)
    assert host.binds == []
    assert host.port_bindings == {}
    assert codec.parse(b"null", HostConfig) == HostConfig(), "docker commit of 20.10 sends this"


def test_the_case_of_field_names_does_not_count() -> None:
    host = codec.parse(
        b'{"memory": 7, "restartpolicy": {"name": "always"}, "mounts": [{"TYPE": "volume"}],'
        b' "PortBindings": {"80/tcp": [{"hostport": "1"}]}, "sysctls": {"Net.x": "1"}}',
        HostConfig,
    )
    assert (host.memory, host.restart_policy.name, host.mounts[0].type) == (7, "always", "volume")
    assert host.port_bindings["80/tcp"][0].host_port == "1"
    assert host.sysctls == {"Net.x": "1"}, "keys of maps keep their case"


def test_unknown_fields_are_ignored() -> None:
    assert codec.parse(b'{"Brand": "new"}', HostConfig) == HostConfig()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "invalid JSON"),
        (b'{"Memory": "1g"}', r"Expected `int`, got `str` - at `\$.Memory`"),
        (b'{"RestartPolicy": {"Name": 1}}', r"at `\$.RestartPolicy.Name`"),
    ],
)
def test_errors_name_the_field(body: bytes, message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        codec.parse(body, HostConfig)


def test_wire_names_are_dockers() -> None:
    wire = codec.builtins(HostConfig())
    for name in ("BlkioDeviceReadIOps", "UTSMode", "ContainerIDFile", "OomScoreAdj", "IpcMode"):
        assert name in wire


def test_round_trip() -> None:
    config = ContainerConfig(cmd=["sh", "-c", "true"], env=["A=1"], labels={"x": "y"})
    assert codec.decode(codec.encode(config), ContainerConfig) == config
