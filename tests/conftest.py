"""What every test may use: a home of its own, made as a user makes one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shoplake.settings import Settings, load_settings
from tests.postgres import PostgresServer, started_server

pytest_plugins = ["tests.browser", "tests.kafka"]
LONGEST = (
    "tests/faults/test_kills.py",
    "tests/journey/test_consume_killed.py",
    "tests/portal/pages/test_pages.py",
    "tests/faults/test_disk.py",
    "tests/portal/pages/test_figures.py",
    "tests/lake/test_consuming.py",
    "tests/portal/pages/test_data_pages.py",
    "tests/collector/test_kafka_log.py",
    "tests/portal/pages/test_audit_pages.py",
    "tests/access/test_shelf.py",
    "tests/portal/test_parts.py",
    "tests/portal/pages/test_catalog.py",
    "tests/collector/test_faults.py",
    "tests/marts/test_business_day.py",
    "tests/journey/test_sigkill.py",
    "tests/portal/pages/test_admin.py",
    "tests/collector/test_live.py",
    "tests/collector/test_tracker.py",
    "tests/portal/pages/test_console.py",
    "tests/access/test_kpi_definitions.py",
    "tests/pipeline/test_stream.py",
    "tests/portal/pages/test_live_page.py",
    "tests/marts/test_order_and_split.py",
    "tests/portal/test_openapi.py",
    "tests/access/test_person.py",
    "tests/journey/test_reading_while_files_go.py",
)
"""Files that take longest, those that mostly wait beside those that mostly work."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest files begin first: at the end no process then waits long for another."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))


@pytest.fixture
def engine() -> str:
    """Name the engine of the operational store; what can break on one of them is tested on both."""
    return "sqlcipher"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Give a running PostgreSQL server, one for all tests of this process."""
    with started_server() as server:
        yield server


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a home as it is right after it was made, to be copied: making one waits for the disk dozens of times."""
    from shoplake.audit.recording import close_logs
    from shoplake.pipeline.init import init_home

    settings = load_settings(tmp_path_factory.mktemp("pristine") / "home")
    init_home(settings)
    close_logs()
    return settings.home


@pytest.fixture
def make_home(tmp_path: Path, engine: str, pristine: Path, request: pytest.FixtureRequest) -> Callable[..., Settings]:
    """Give a function that makes homes, with changed settings where given; those of other names have other keys."""
    from shoplake.pipeline.init import init_home

    server: PostgresServer | None = request.getfixturevalue("postgres") if engine == "postgresql" else None

    def make(name: str = "home", **changes: Any) -> Settings:
        if server is not None:
            (tmp_path / name).mkdir(mode=0o700, exist_ok=True)
            (tmp_path / name / "settings.toml").write_text(f'store_url = "{server.new_database()}"\n', encoding="utf-8")
        elif name == "home" and not changes and not (tmp_path / name).exists():
            shutil.copytree(pristine, tmp_path / name)
            return load_settings(tmp_path / name)
        settings = load_settings(tmp_path / name).model_copy(update=changes)
        init_home(settings)
        return settings

    return make


@pytest.fixture(scope="module")
def module_home(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Give a fresh home for all tests of a module: to be filled once, then read or copied."""
    folder = tmp_path_factory.mktemp("module") / "home"
    shutil.copytree(pristine, folder)
    return load_settings(folder)


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[Settings], Settings]:
    """Give a function that copies a home which tests share, for one test to change."""
    from shoplake.audit.recording import close_logs

    def copy(shared: Settings) -> Settings:
        close_logs()
        shutil.copytree(shared.home, tmp_path / "copied")
        return shared.model_copy(update={"home": tmp_path / "copied"})

    return copy


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
