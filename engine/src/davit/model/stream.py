"""How streams are moved through this process."""

from __future__ import annotations

PIECE = 192 << 10
"""Bytes that are moved at a time.

A buffer of more than 256 KiB comes fresh from the kernel each time, which costs a fault a page
(``davit.sys.memory``); to pass on smaller ones takes longer.
"""
