"""The pages beside those of the teams: each is for the people whose role has its console."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A page that stands in the bar at the top."""

    address: str
    title: str
    """In English, as the templates' texts are."""
    console: str
    """Name of the policy that opens it."""


PLACES: tuple[Place, ...] = (
    Place("/live", "Live", "live"),
    Place("/sql", "SQL", "sql"),
    Place("/catalog", "Catalogue", "catalog"),
    Place("/health", "Data health", "status"),
    Place("/quarantine", "Quarantine", "quarantine"),
    Place("/audit", "Audit", "audit"),
    Place("/admin", "Admin", "users"),
)
"""Every place, in the order in which the bar shows them."""
