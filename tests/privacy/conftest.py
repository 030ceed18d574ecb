"""The vault lies in the operational store, on either engine."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["sqlcipher", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    """Name the engine: the vault behaves the same on each."""
    return str(request.param)
