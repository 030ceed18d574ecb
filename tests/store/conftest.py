"""An open store and its ledger."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shoplake.keys.keyring import Keyring
from shoplake.settings import Settings
from shoplake.store.engine import Store, open_store
from shoplake.store.ledger import Ledger


@pytest.fixture(params=["sqlcipher", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    """Name the engine: the store behaves the same on each."""
    return str(request.param)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """Give the store of a fresh home."""
    opened = open_store(settings, Keyring.open(settings))
    yield opened
    opened.close()


@pytest.fixture
def ledger(store: Store) -> Ledger:
    """Give the ledger of a fresh home."""
    return Ledger(store)
