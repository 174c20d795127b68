# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Steps of the plan for whole swarms, as the role carries them out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Step:
    """One run of a module on one host.

    host: whom it is about, or the node's title when that is no host. on: the host whose engine
    carries it out. secret: what it needs that only a manager knows (``worker`` or ``manager`` for
    that join token, ``unlock``), or nothing; all steps of a wave need something, or none does.
    source: the manager to ask for it; for ``unlock`` empty when the key is the user's. later: it
    needs what an earlier step brings, so it is only shown, and the next round has it again.
    """

    swarm: str
    verb: str
    host: str
    on: str
    module: str
    options: dict[str, Any]
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    secret: str = ""
    source: str = ""
    later: bool = False


@dataclass
class Plan:
    """Waves one after the other; the steps of one wave may run at the same time.

    again: whether the facts have to be asked for anew then, for the steps that are later. silent:
    hosts that do not answer, and are left as they are. notes: what somebody should know.
    """

    waves: list[list[Step]] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    again: bool = False

    def add(self, *steps: Step) -> None:
        if steps:
            self.waves.append(list(steps))

    def shown(self, foretell: bool = True) -> dict[str, Any]:
        """The plan as playbooks see it. foretell: with the steps that are later."""
        waves = [[step for step in wave if foretell or not step.later] for wave in self.waves]
        # Not asdict: it copies what Ansible told, and its lazy dictionaries cannot be copied so.
        return {
            **vars(self),
            "waves": [[dict(vars(step)) for step in wave] for wave in waves if wave],
        }
