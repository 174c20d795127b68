"""The OCI ``process`` object: arguments, environment, user, limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from davit.errors import InvalidParameter
from davit.model.config import HostConfig
from davit.model.container import Container
from davit.model.host import HostFacts, ResolvedUser
from davit.spec import capabilities, security
from davit.spec.facts import SpecFacts

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INIT_PATH = "/sbin/docker-init"
"""Where Docker puts the init that ``HostConfig.Init`` asks for."""
UNLIMITED = (1 << 64) - 1  # RLIM_INFINITY
# setrlimit(2). "as" is refused by Docker, and so it is here: the runtime itself dies of it.
LIMITS = (
    "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc",
    "rss", "rtprio", "rttime", "sigpending", "stack",
)  # fmt: skip


def build(
    container: Container,
    facts: SpecFacts,
    granted: Sequence[str],
    options: security.Options,
) -> dict[str, Any]:
    config, host = container.config, container.host_config
    args = [container.path, *container.args]
    if has_init(host, facts):
        args = [INIT_PATH, "--", *args]
    process = _process(
        args,
        environment(
            [*facts.link_env, *config.env],
            hostname=config.hostname,
            tty=config.tty,
            home=facts.user.home,
        ),
        facts.user,
        cwd=config.working_dir,
        tty=config.tty,
        granted=granted,
        options=options,
        apparmor=facts.host.apparmor,
    )
    process["rlimits"] = _rlimits(host, facts.default_ulimits)
    process["oomScoreAdj"] = host.oom_score_adj
    height, width = host.console_size
    if config.tty and height and width:
        process["consoleSize"] = {"height": height, "width": width}
    return process


def for_exec(
    container: Container,
    host: HostFacts,
    user: ResolvedUser,
    command: Sequence[str],
    *,
    env: Sequence[str] = (),
    link_env: Sequence[str] = (),
    cwd: str = "",
    tty: bool = False,
    privileged: bool = False,
    console_size: tuple[int, int] = (0, 0),
) -> dict[str, Any]:
    """Return the ``process`` of a further command in a running container.

    env, cwd: added to, or instead of, the container's own.
    link_env: as in ``SpecFacts``. console_size: height and width.
    """
    config, asked = container.config, container.host_config
    granted = [name for name in capabilities.ALL if name in host.capabilities]
    if not (privileged or asked.privileged):
        granted = capabilities.granted(asked, host)
    process = _process(
        command,
        environment(
            [*link_env, *config.env, *env], hostname=config.hostname, tty=tty, home=user.home
        ),
        user,
        cwd=cwd or config.working_dir,
        tty=tty,
        granted=granted,
        options=security.parse(asked.security_opt),
        apparmor=host.apparmor,
    )
    height, width = console_size
    if tty and height and width:
        process["consoleSize"] = {"height": height, "width": width}
    return process


def has_init(host: HostConfig, facts: SpecFacts) -> bool:
    """Whether an init of davit's is process 1; a shared PID namespace has one already."""
    if not host.init or host.pid_mode:
        return False
    if not facts.init:
        raise InvalidParameter(
            "Init is asked for, but this host has no init to put in front: install tini or "
            "catatonit, or set init_path in davitd's configuration"
        )
    return True


def environment(env: Sequence[str], *, hostname: str, tty: bool, home: str) -> list[str]:
    """Return ``NAME=value`` entries: defaults, then ``env``; a bare ``NAME`` takes one away."""
    values = {"PATH": DEFAULT_PATH, "HOSTNAME": hostname, "HOME": home}
    if tty:
        values["TERM"] = "xterm"
    for entry in env:
        name, separator, value = entry.partition("=")
        if separator:
            values[name] = value
        else:
            values.pop(name, None)
    return [f"{name}={value}" for name, value in values.items()]


def check_limits(host: HostConfig, facts: HostFacts) -> None:
    """Raise InvalidParameter for limits that setrlimit(2) or the OOM killer would refuse."""
    for ulimit in host.ulimits:
        if ulimit.name not in LIMITS:
            raise InvalidParameter(
                f"invalid ulimit type: {ulimit.name}: use one of {', '.join(LIMITS)}"
            )
        own = facts.hard_limits.get(ulimit.name, -1)
        if own == -1 or facts.may_raise_limits:
            continue
        if not 0 <= ulimit.hard <= own:
            asked = "unlimited" if ulimit.hard < 0 else ulimit.hard
            raise InvalidParameter(
                f"ulimit {ulimit.name}={asked}: davitd's own hard limit is {own}, and it may not "
                f"go above it (no CAP_SYS_RESOURCE): ask for at most {own}"
            )
    if host.oom_score_adj < min(facts.oom_score_adj, 0) and not facts.may_raise_limits:
        raise InvalidParameter(
            f"OomScoreAdj {host.oom_score_adj} is below davitd's own ({facts.oom_score_adj}), and "
            "it may not go below it (no CAP_SYS_RESOURCE): ask for 0 or more"
        )


def _process(
    args: Sequence[str],
    env: list[str],
    user: ResolvedUser,
    *,
    cwd: str,
    tty: bool,
    granted: Sequence[str],
    options: security.Options,
    apparmor: bool,
) -> dict[str, Any]:
    # Nothing is inheritable: a file's inheritable bits must not raise a user (CVE-2022-24769).
    process: dict[str, Any] = {
        "terminal": tty,
        "user": {
            "uid": user.uid,
            "gid": user.gid,
            "additionalGids": user.additional_gids,
        },
        "args": list(args),
        "env": env,
        "cwd": cwd or "/",
        "capabilities": {
            "bounding": list(granted),
            "effective": list(granted),
            "permitted": list(granted),
        },
        "noNewPrivileges": options.no_new_privileges,
    }
    if options.apparmor and apparmor:
        process["apparmorProfile"] = options.apparmor
    return process


def _rlimits(host: HostConfig, defaults: dict[str, tuple[int, int]]) -> list[dict[str, Any]]:
    limits = {**defaults, **{limit.name: (limit.soft, limit.hard) for limit in host.ulimits}}
    return [
        {"type": f"RLIMIT_{name.upper()}", "soft": _limit(soft), "hard": _limit(hard)}
        for name, (soft, hard) in sorted(limits.items())
    ]


def _limit(value: int) -> int:
    return UNLIMITED if value < 0 else value
