from typing import Any

import pytest

from davit.errors import InvalidParameter
from davit.model import codec
from davit.model.config import ContainerConfig
from davit.services.images.changes import apply

CASES: list[tuple[list[str], dict[str, Any]]] = [
    (['CMD ["sh", "-c", "echo hi"]'], {"Cmd": ["sh", "-c", "echo hi"]}),
    (["CMD echo hi"], {"Cmd": ["/bin/sh", "-c", "echo hi"]}),
    (["cmd [echo hi"], {"Cmd": ["/bin/sh", "-c", "[echo hi"]}),
    (['ENTRYPOINT ["/init"]'], {"Entrypoint": ["/init"]}),
    (
        ["ENV A=1 B='two words'", "ENV A=3", "ENV C one two"],
        {"Env": ["A=3", "B=two words", "C=one two"]},
    ),
    (['LABEL a=1 b="x y"'], {"Labels": {"a": "1", "b": "x y"}}),
    (
        ["EXPOSE 80 53/udp 8000-8001/tcp"],
        {"ExposedPorts": {"80/tcp": {}, "53/udp": {}, "8000/tcp": {}, "8001/tcp": {}}},
    ),
    (["USER 1000:1000"], {"User": "1000:1000"}),
    (
        ['VOLUME ["/a b", "/c"]', "VOLUME /d /e"],
        {"Volumes": {"/a b": {}, "/c": {}, "/d": {}, "/e": {}}},
    ),
    (["WORKDIR /srv", "WORKDIR app/../x"], {"WorkingDir": "/srv/x"}),
    (["ONBUILD RUN make", "ONBUILD COPY . ."], {"OnBuild": ["RUN make", "COPY . ."]}),
    (["STOPSIGNAL SIGQUIT"], {"StopSignal": "SIGQUIT"}),
    (["HEALTHCHECK NONE"], {"Healthcheck": {"Test": ["NONE"]}}),
    (
        ["HEALTHCHECK --interval=5s --timeout=1m --retries=3 --start-period=2s CMD curl -f x"],
        {
            "Healthcheck": {
                "Test": ["CMD-SHELL", "curl -f x"],
                "Interval": 5 * 10**9,
                "Timeout": 60 * 10**9,
                "StartPeriod": 2 * 10**9,
                "Retries": 3,
            }
        },
    ),
    (["", "# a comment", "  USER me "], {"User": "me"}),
    # These as dockerd 20.10 gives them.
    (
        ["ENV A=1", """ENV B=$A:x C=${D:-y} E='$A' F="q $A" G=\\$A"""],
        {"Env": ["A=1", "B=1:x", "C=y", "E=$A", "F=q 1", "G=$A"]},
    ),
    (
        ["ENV A=8", "USER $A", "WORKDIR /$A", "EXPOSE ${A}0/udp", "VOLUME /$A", "LABEL x=$A"],
        {
            "Env": ["A=8"],
            "User": "8",
            "WorkingDir": "/8",
            "ExposedPorts": {"80/udp": {}},
            "Volumes": {"/8": {}},
            "Labels": {"x": "8"},
        },
    ),
    (["ENV B=1 \\", " C=2"], {"Env": ["B=1", "C=2"]}),
    (['CMD ["z"]', 'ENTRYPOINT ["e"]'], {"Cmd": ["z"], "Entrypoint": ["e"]}),
    (['CMD ["z"]', "CMD []"], {"Cmd": ["z"]}),
]


@pytest.mark.parametrize(("changes", "wanted"), CASES)
def test_instructions(changes: list[str], wanted: dict[str, Any]) -> None:
    config = codec.builtins(apply(ContainerConfig(), changes))
    default = codec.builtins(ContainerConfig())
    changed = {name: value for name, value in config.items() if value != default[name]}
    assert changed == wanted


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("RUN make", "RUN is not a valid change command; known: CMD"),
        ("CMD", "CMD requires an argument"),
        ("ENV A", "must have two arguments"),
        ("ENV A=1 B", "can't find = in 'B'"),
        ("ENV A='1", "unexpected end"),
        ("EXPOSE web", "EXPOSE web"),
        ("EXPOSE 70000", "invalid containerPort"),
        ("EXPOSE 80/icmp", "invalid proto: icmp"),
        ("ONBUILD FROM x", "FROM isn't allowed"),
        ("HEALTHCHECK --often=1s CMD x", "unknown flag: --often"),
        ("HEALTHCHECK --interval=x CMD y", "invalid --interval=x"),
        ("HEALTHCHECK sleep 1", "NONE, or CMD"),
    ],
)
def test_bad_instructions_are_named(change: str, message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        apply(ContainerConfig(), [change])


def test_an_entrypoint_takes_the_command_that_was_there() -> None:
    config = ContainerConfig(cmd=["of", "the", "container"])
    assert apply(config, ['ENTRYPOINT ["e"]']).cmd is None
    assert apply(config, ["USER me", "ENTRYPOINT []"]).cmd == config.cmd
