"""Pure: what happens to a container whose process has ended."""

from __future__ import annotations

from dataclasses import dataclass

from davit.errors import InvalidParameter
from davit.model.config import HostConfig, RestartPolicy

FIRST_DELAY = 100 * 10**6
LAST_DELAY = 60 * 10**9
# A run of this length is a success: the next failure starts over with the first delay.
LONG_RUN = 10 * 10**9

POLICIES = ("no", "always", "unless-stopped", "on-failure")


@dataclass(frozen=True)
class Decision:
    """restart: start it again after ``delay`` ns; remove: delete it. At most one is true."""

    restart: bool = False
    remove: bool = False
    delay: int = 0


def check(policy: RestartPolicy, *, auto_remove: bool) -> None:
    """Raise InvalidParameter for a policy that means nothing."""
    name, limit = policy.name, policy.maximum_retry_count
    if name and name not in POLICIES:
        raise InvalidParameter(
            f"invalid restart policy: unknown policy '{name}'; use one of 'no', 'always', "
            "'on-failure', or 'unless-stopped'"
        )
    if limit < 0:
        raise InvalidParameter("invalid restart policy: maximum retry count cannot be negative")
    if limit and name != "on-failure":
        raise InvalidParameter(
            "invalid restart policy: maximum retry count can only be used with 'on-failure'"
        )
    if auto_remove and name not in ("", "no"):
        raise InvalidParameter("can't create 'AutoRemove' container with restart policy")


def decide(
    host: HostConfig,
    *,
    exit_code: int,
    stopped_by_user: bool,
    uptime: int,
    restarts: int,
    last_delay: int,
) -> Decision:
    """Decide after an exit.

    uptime: ns that the process ran; restarts: how often the policy restarted it already;
    last_delay: ns waited before this run, 0 when it was not the policy that started it.
    """
    if host.auto_remove:
        return Decision(remove=True)
    if stopped_by_user or not wants_restart(host.restart_policy, exit_code, restarts):
        return Decision()
    if uptime >= LONG_RUN or not last_delay:
        return Decision(restart=True, delay=FIRST_DELAY)
    return Decision(restart=True, delay=min(last_delay * 2, LAST_DELAY))


def wants_restart(policy: RestartPolicy, exit_code: int, restarts: int) -> bool:
    """Whether the policy restarts a container that nobody stopped."""
    if policy.name in ("always", "unless-stopped"):
        return True
    limit = policy.maximum_retry_count
    return policy.name == "on-failure" and exit_code != 0 and (not limit or restarts < limit)


def resumes(policy: RestartPolicy, *, stopped_by_user: bool) -> bool:
    """Whether a container that has ended is started when davitd starts.

    ``always`` resumes even what a user stopped, as Docker does; ``unless-stopped`` does not. What
    ``on-failure`` restarts has been restarted already, or has failed too often.
    """
    return policy.name == "always" or (policy.name == "unless-stopped" and not stopped_by_user)
