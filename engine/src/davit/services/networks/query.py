"""Which networks a list or prune call means. Pure."""

from __future__ import annotations

from davit.errors import InvalidParameter
from davit.model.filters import Filters
from davit.model.network import Network


def accepts(filters: Filters, network: Network, *, in_use: bool) -> bool:
    """Whether a list call shows a network. Raises InvalidParameter for a bad filter value.

    ``name`` and ``id`` match parts, as the API says.
    """
    dangling = filters.flag("dangling")
    if dangling is not None and dangling == (in_use or network.is_predefined):
        return False
    kinds = filters.get("type")
    if any(kind not in ("custom", "builtin") for kind in kinds):
        raise InvalidParameter(f"invalid filter 'type={kinds[0]}': custom or builtin is needed")
    return (
        _any_part(filters.get("name"), network.name)
        and _any_part(filters.get("id"), network.id)
        and filters.accepts("driver", network.driver)
        and filters.accepts("scope", network.spec.scope)
        and filters.accepts("type", "builtin" if network.is_predefined else "custom")
        and filters.accepts_labels(network.spec.labels)
    )


def may_prune(filters: Filters, network: Network) -> bool:
    """Whether prune's filters let an unused network go. Raises InvalidParameter."""
    until = filters.until()
    return (
        (until is None or network.created < until)
        and filters.accepts_labels(network.spec.labels)
        and not filters.rejects_labels(network.spec.labels)
    )


def _any_part(parts: list[str], text: str) -> bool:
    return not parts or any(part in text for part in parts)
