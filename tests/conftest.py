"""What every test may use: a home of its own, made as a user makes one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shoplake.settings import Settings, load_settings

pytest_plugins = ["tests.kafka"]


@pytest.fixture
def make_home(tmp_path: Path) -> Callable[..., Settings]:
    """Give a function that makes another home, with changed settings where given."""
    from shoplake.pipeline.init import init_home

    def make(name: str = "home", **changes: Any) -> Settings:
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
