"""Build arguments: what ARG declares, what the client gives, and where each is seen. Pure.

Source: Dockerfile reference, "ARG", "Predefined ARGs", "Automatic platform ARGs".
"""

from __future__ import annotations

from collections.abc import Mapping

from davit.model.build import Command
from davit.model.platform import Platform
from davit.spec.dockerfile.expand import expand

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
PREDEFINED = frozenset({*_PROXIES, *(name.lower() for name in _PROXIES)})


class Arguments:
    """The arguments of one stage, or those before the first FROM.

    given: by the client. inherited: values for an ARG without one: the global arguments.
    used: names that some ARG has asked for; shared by all stages.
    """

    def __init__(
        self,
        given: Mapping[str, str | None],
        inherited: Mapping[str, str] | None = None,
        used: set[str] | None = None,
        *,
        in_stage: bool = False,
    ) -> None:
        self._in_stage = in_stage
        self._given = {name: value for name, value in given.items() if value is not None}
        self._inherited = dict(inherited or {})
        self._declared: dict[str, str | None] = {}
        self.used = set() if used is None else used

    def stage(self) -> Arguments:
        """The arguments of a new stage, which sees only what it declares itself."""
        inherited = {**self._inherited, **self.declared}
        return Arguments(self._given, inherited, self.used, in_stage=True)

    def declare(self, command: Command, env: Mapping[str, str], escape: str) -> list[str]:
        """Take an ARG in; return its words expanded. Raises ExpansionError, ValueError."""
        shown = []
        for word in command.words:
            name, equals, text = word.partition("=")
            name = expand(name, self.visible(env), escape)
            if not name:
                raise ValueError("ARG names can not be blank")
            default = expand(text, self.visible(env), escape) if equals else None
            self.used.add(name)
            if name in self._given:
                value: str | None = self._given[name]
            elif default is not None:
                value = default
            else:
                value = self._inherited.get(name)
            self._declared[name] = value
            shown.append(name if default is None else f"{name}={default}")
        return shown

    @property
    def declared(self) -> dict[str, str]:
        """Declared arguments that have a value."""
        return {name: value for name, value in self._declared.items() if value is not None}

    @property
    def silent(self) -> dict[str, str]:
        """Predefined ones that were given and not declared: no step's identity depends on them."""
        return {
            name: value
            for name, value in self._given.items()
            if name in PREDEFINED and name not in self._declared
        }

    def visible(self, env: Mapping[str, str]) -> dict[str, str]:
        """What ``$name`` stands for. The environment wins."""
        inherited = {} if self._in_stage else self._inherited
        return {**inherited, **self.silent, **self.declared, **env}

    def unused(self) -> list[str]:
        """Given arguments that nothing has asked for."""
        return sorted(self._given.keys() - self.used - PREDEFINED)


def of_platforms(build: Platform, target: Platform) -> dict[str, str]:
    """Arguments that say what is built, and on what."""
    found = {}
    for prefix, platform in (("BUILD", build), ("TARGET", target)):
        found[f"{prefix}PLATFORM"] = str(platform)
        found[f"{prefix}OS"] = platform.os
        found[f"{prefix}ARCH"] = platform.architecture
        found[f"{prefix}VARIANT"] = platform.variant
    return found
