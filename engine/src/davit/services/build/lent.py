"""What a build's commands see and nothing keeps: files, for as long as a step runs."""

from __future__ import annotations

from collections.abc import Mapping

from davit.errors import InvalidParameter
from davit.model.build import Warned
from davit.services.build.needs import Lender, Needs, Report


class Lent:
    """What the client of one build lends, below a directory of this engine's."""

    def __init__(self, needs: Needs, lender: Lender, report: Report) -> None:
        self._root = needs.paths.build_secrets
        self._remap = needs.remap
        self._lender = lender
        self._report = report

    def _owner(self, options: Mapping[str, str]) -> tuple[int, int]:
        """Whose it is to be, as this host counts users and groups."""
        owner = int(options.get("uid", "0")), int(options.get("gid", "0"))
        return owner if self._remap is None else self._remap.ids.outside(*owner)

    def _leave_out(self, options: Mapping[str, str], missing: str, refusal: str) -> None:
        """Do without what the client does not lend, and say so (missing).

        Raises InvalidParameter (refusal) when it is required.
        """
        if options.get("required", "false") != "false":
            raise InvalidParameter(refusal)
        self._report(Warned(text=f"{missing}: left out"))
