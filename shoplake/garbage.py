"""Keeps Python's search for cyclic garbage out of the way of those who make objects by the hundred thousand."""

from __future__ import annotations

import gc

ALLOCATIONS = 50_000
"""Objects made between two searches; with Python's 700, searches take a sixth of the time of a request or a row."""


def collect_rarely() -> None:
    """Search rarely, and never again through what is here now; for a process that does one thing until it ends."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS)
