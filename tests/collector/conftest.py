"""One collector serves the tests of a module that leave it as it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shoplake.pipeline.init import init_home
from shoplake.settings import Settings, load_settings
from tests.collector.running import Running, add_producer


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Give a home for the tests of a module."""
    settings = load_settings(tmp_path_factory.mktemp("collector") / "home")
    init_home(settings)
    return settings


@pytest.fixture(scope="module")
def collector(shared_home: Settings) -> Iterator[Running]:
    """Give a running collector."""
    with Running(shared_home, add_producer(shared_home)) as running:
        yield running
