"""pyroute2's messages of rtnetlink(7), without the rest of it."""

from __future__ import annotations

import importlib.util
import sys
import types
from typing import Any


def message_classes() -> tuple[Any, Any, Any]:
    """Those of links, addresses and routes.

    ``pyroute2/__init__`` imports everything (11.5 MB resident, 0.3 s); the messages alone take
    1.5 MB and 0.05 s. An empty package stands in for it while they are imported, and another one
    for ``multiprocessing``, of which its configuration names three things.
    """
    if "pyroute2" in sys.modules:
        return _import_messages()
    spec = importlib.util.find_spec("pyroute2")
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError("pyroute2 is not installed")
    package = types.ModuleType("pyroute2")
    package.__path__ = list(spec.submodule_search_locations)
    stand_ins = {"pyroute2": package}
    if "multiprocessing" not in sys.modules:
        stand_ins["multiprocessing"] = processes = types.ModuleType("multiprocessing")
        vars(processes).update(dict.fromkeys(("Pipe", "Process", "Queue")))
    sys.modules.update(stand_ins)
    try:
        return _import_messages()
    finally:
        for name in stand_ins:
            del sys.modules[name]


def _import_messages() -> tuple[Any, Any, Any]:
    from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
    from pyroute2.netlink.rtnl.rtmsg import rtmsg

    return ifinfmsg, ifaddrmsg, rtmsg
