"""Who asks: a user with a role, the values that limit them, and what a token of theirs is good for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Identity:
    """A person who has shown who they are, or for whom the owner of the home asks."""

    name: str
    role: str
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What the person is limited to, such as ``{"region": ("North",)}``; empty for no limit."""
    scopes: frozenset[str] | None = None
    """Consoles that the token in use is good for; None for all of the role's."""
