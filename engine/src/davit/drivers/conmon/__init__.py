"""conmon and the OCI runtime that it runs: they hold the processes and outlive davitd."""

from davit.drivers.conmon.monitors import ConmonMonitors

__all__ = ["ConmonMonitors"]
