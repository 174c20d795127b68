from __future__ import annotations

import logging
from pathlib import Path

import pytest

from davit import cli
from davit.config import AddressPool, Settings, reloaded


def settings(*arguments: str) -> Settings:
    """What the command line comes to, without starting anything."""
    parser = cli._parser()
    return cli._settings(parser.parse_args(cli._spell_out(arguments)))


def test_the_protocol_of_managers_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A manager that stops may go on speaking: that was a traceback in the log of ``davitd -D``."""
    cli._configure_logging(settings("-D"))
    with caplog.at_level(logging.DEBUG):
        for name in ("grpclib.protocol", "hpack.hpack"):
            logging.getLogger(name).debug("Protocol error")
        logging.getLogger("davit.services.swarm.agent").debug("a session")
    assert caplog.messages == ["a session"]


def test_flags_of_dockerd() -> None:
    made = settings(
        *("--data-root", "/d", "--exec-root", "/r", "-H", "unix:///a", "-H", "tcp://127.0.0.1:1"),
        *("-G", "staff", "-p", "/pid", "-b", "br0", "--bip", "10.9.0.1/24", "--mtu", "1400"),
        "--icc=false",
        *("--fixed-cidr", "10.9.0.0/25", "--default-address-pool", "base=10.8.0.0/16,size=24"),
        *("--dns", "10.0.0.53", "--dns-search", "example.org", "--dns-opt", "ndots:1"),
        *("--label", "a=b", "--label", "c=d", "-l", "warn", "--default-runtime", "crun"),
        *("--insecure-registry", "R.example:5000", "--insecure-registry", "10.0.0.0/8"),
        *("--registry-mirror", "https://mirror.example"),
        *("--shutdown-timeout", "3", "--init-path", "/usr/bin/tini"),
        *("--gc-grace", "60", "--max-layer-size", "2g"),
        *("--tlsverify", "--tlscacert", "/t/ca", "--tlscert=/t/c", "--tlskey", "/t/k"),
    )
    assert made == Settings(
        data_root=Path("/d"),
        run_root=Path("/r"),
        hosts=("unix:///a", "tcp://127.0.0.1:1"),
        group="staff",
        pidfile=Path("/pid"),
        bridge="br0",
        icc=False,
        bip="10.9.0.1/24",
        mtu=1400,
        fixed_cidr="10.9.0.0/25",
        default_address_pools=(AddressPool("10.8.0.0/16", 24),),
        dns=("10.0.0.53",),
        dns_search=("example.org",),
        dns_options=("ndots:1",),
        insecure_registries=("r.example:5000", "10.0.0.0/8"),
        registry_mirrors=("https://mirror.example/",),
        labels=("a=b", "c=d"),
        log_level="warn",
        runtime="crun",
        shutdown_timeout=3,
        init_path="/usr/bin/tini",
        gc_grace=60,
        max_layer_size=2 << 30,
        tls_verify=True,
        tls_ca=Path("/t/ca"),
        tls_certificate=Path("/t/c"),
        tls_key=Path("/t/k"),
    )


def test_the_socket_lies_in_the_run_root() -> None:
    assert settings().hosts == ("unix:///run/davit/davit.sock",)
    assert settings("--run-root", "/r").hosts == ("unix:///r/davit.sock",)


@pytest.mark.parametrize(
    ("arguments", "uses", "plain"),
    [
        ([], False, False),
        (["--tls", "serve"], True, False),
        (["--tlsverify"], True, False),
        (["--tls=false"], False, True),
        (["--tlsverify=false"], False, True),
        (["--tls=false", "--tlsverify"], True, False),
    ],
)
def test_plain_tcp_must_be_asked_for(arguments: list[str], uses: bool, plain: bool) -> None:
    made = settings(*arguments)
    assert (made.uses_tls, made.allows_plain_tcp) == (uses, plain)


def test_what_changes_without_a_restart() -> None:
    now = settings("--label", "a=b", "--mtu", "1400")
    wanted = settings("--label", "c=d", "-l", "warn", "--shutdown-timeout", "1", "--mtu", "1300")
    after, changed, refused = reloaded(now, wanted)
    assert after == settings(
        *("--label", "c=d", "-l", "warn", "--shutdown-timeout", "1", "--mtu", "1400")
    )
    assert changed == ["labels", "log_level", "shutdown_timeout"]
    assert refused == ["mtu"]


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "davit.toml"
    file.write_text(
        'data-root = "/from/file"\nhost = ["unix:///f1", "unix:///f2"]\nmtu = 1300\n'
        'debug = true\ndefault-address-pool = [{base = "10.7.0.0/16", size = 24}]\n'
    )
    made = settings("--config", str(file), "--mtu", "1200")
    assert made.data_root == Path("/from/file")
    assert made.hosts == ("unix:///f1", "unix:///f2")
    assert made.mtu == 1200
    assert made.log_level == "debug"
    assert made.default_address_pools == (AddressPool("10.7.0.0/16", 24),)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "data_root = '/x'",
            "unknown key 'data_root'; known keys: add-runtime, bip, bip6, bridge",
        ),
        ("mtu = 'wide'", "mtu: 'wide' is not a whole number"),
        ("mtu = [1, 2]", "mtu: one value is needed, 2 are given"),
        ("tls = 1", "tls: '1' is neither true nor false"),
        ("= 1", "is not valid TOML"),
    ],
)
def test_a_bad_file_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    file = tmp_path / "davit.toml"
    file.write_text(text)
    with pytest.raises(SystemExit) as caught:
        cli.main(["--config", str(file)])
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert str(file) in said
    assert words in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--bip", "10.0.0.1"], "--bip"),
        (["--dns", "nowhere"], "--dns: 'nowhere' is not an IP address"),
        (
            ["--insecure-registry", "http://x"],
            "insecure registry http://x should not contain '://'",
        ),
        (["--max-layer-size", "much"], "--max-layer-size: 'much' is not a size"),
        (["--registry-mirror", "mirror"], 'invalid mirror: "mirror" is not http://HOST'),
        (["--registry-mirror", "http://x/y"], "invalid mirror: path, query, or fragment at end"),
        (["--default-address-pool", "10.0.0.0/8"], "use base=10.0.0.0/16,size=24"),
        (["--default-address-pool", "base=10.0.0.0/16,size=8"], "no /8 fits into 10.0.0.0/16"),
        (["--fixed-cidr", "10.0.0.1/24"], "has host bits set"),
        (["--tls=perhaps"], "--tls: 'perhaps' is neither true nor false"),
        (["--tls", "--tlscert", "/no/such"], "TLS: cannot read /no/such"),
        (["--log-level", "loud"], "debug, info, warn, error, fatal"),
        (
            ["--add-runtime", "kata"],
            "--add-runtime: invalid runtime argument: kata: use NAME=PROGRAM",
        ),
        (["--add-runtime", "runc=/x"], "runtime name 'runc' is reserved"),
        (["--add-runtime", "a=/x", "--add-runtime", "a=/y"], "runtime 'a' was already defined"),
        (["--add-runtime", "a=/x", "--default-runtime", "/y/a"], "would be called as the runtime"),
        (["--default-cgroupns-mode", "own"], "use private or host"),
        (["--no-such-flag"], "--no-such-flag"),
        (["--config", "/no/such/file"], "cannot read /no/such/file"),
    ],
)
def test_bad_flags(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    with pytest.raises(SystemExit) as caught:
        # --validate: what is wrongly accepted must not start a daemon.
        cli.main([*arguments, "--validate"])
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


def test_validate_starts_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "data"
    with pytest.raises(SystemExit) as caught:
        cli.main(["--validate", "--data-root", str(root)])
    assert caught.value.code == 0
    assert "configuration OK" in capsys.readouterr().out
    assert not root.exists()


@pytest.mark.parametrize(
    ("arguments", "default", "programs"),
    [
        ([], "runc", {"runc": "runc"}),
        (["--default-runtime", "/opt/runc"], "runc", {"runc": "/opt/runc"}),
        (["--default-runtime", "/opt/crun"], "crun", {"runc": "runc", "crun": "/opt/crun"}),
        (
            ["--add-runtime", "slow=/opt/slow", "--add-runtime", "odd=odd"],
            "runc",
            {"runc": "runc", "slow": "/opt/slow", "odd": "odd"},
        ),
        (
            ["--add-runtime", "slow=/opt/slow", "--default-runtime", "slow"],
            "slow",
            {"runc": "runc", "slow": "/opt/slow"},
        ),
    ],
)
def test_runtimes(arguments: list[str], default: str, programs: dict[str, str]) -> None:
    made = settings(*arguments)
    assert made.default_runtime == default
    assert made.runtime_programs == {**programs, "io.containerd.runc.v2": programs["runc"]}


def test_runtimes_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "davit.toml"
    file.write_text('[add-runtime]\nslow = "/opt/slow"\n')
    assert settings("--config", str(file)).runtimes == (("slow", "/opt/slow"),)
