"""Readers of what a cgroup has used: one for each version of the kernel's interface."""

from davit.drivers.cgroup.reader import UsageReader

__all__ = ["UsageReader"]
