"""What every test may use: a home of its own, made as a user makes one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shoplake.settings import Settings, load_settings
from tests.postgres import PostgresServer, started_server

pytest_plugins = ["tests.browser", "tests.kafka"]


@pytest.fixture
def engine() -> str:
    """Name the engine of the operational store; what can break on one of them is tested on both."""
    return "sqlcipher"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Give a running PostgreSQL server, one for all tests of this process."""
    with started_server() as server:
        yield server


@pytest.fixture
def make_home(tmp_path: Path, engine: str, request: pytest.FixtureRequest) -> Callable[..., Settings]:
    """Give a function that makes another home, with changed settings where given."""
    from shoplake.pipeline.init import init_home

    server: PostgresServer | None = request.getfixturevalue("postgres") if engine == "postgresql" else None

    def make(name: str = "home", **changes: Any) -> Settings:
        if server is not None:
            (tmp_path / name).mkdir(mode=0o700, exist_ok=True)
            (tmp_path / name / "settings.toml").write_text(f'store_url = "{server.new_database()}"\n', encoding="utf-8")
        settings = load_settings(tmp_path / name).model_copy(update=changes)
        init_home(settings)
        return settings

    return make


@pytest.fixture
def settings(make_home: Callable[..., Settings]) -> Settings:
    """Give a fresh home."""
    return make_home()


@pytest.fixture
def record_proof() -> Callable[[str, str], None]:
    """Give a function that keeps what a proof printed in ``docs/proofs``."""

    def record(name: str, text: str) -> None:
        import datetime as dt
        import os
        import platform

        import duckdb

        folder = Path(__file__).parents[1] / "docs" / "proofs"
        folder.mkdir(exist_ok=True)
        made = f"{dt.date.today():%Y-%m-%d}, Python {platform.python_version()}, DuckDB {duckdb.__version__}"
        (folder / f"{name}.md").write_text(f"# {name}\n\n{text}\n\n{made}, {os.cpu_count()} cores.\n", encoding="utf-8")
        print(text)

    return record
