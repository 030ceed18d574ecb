"""Support reads customers' words of the last days in clear, in the served release alone; then they are gone."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from sqlalchemy import delete

from shoplake.access.identity import Identity
from shoplake.access.sql import query
from shoplake.errors import AccessDenied, ShoplakeError
from shoplake.home import HomePaths
from shoplake.keys.keyring import Keyring
from shoplake.lake.landing import land
from shoplake.pipeline import releases, releasing
from shoplake.pipeline.manifest import Manifest
from shoplake.pipeline.run import run
from shoplake.settings import Settings
from shoplake.store.engine import open_store
from shoplake.store.tables import person
from tests.journey.world import DAY, FIRST, write

TABLE = "mart_support__messages"
TEXTS = f"select interaction_date, customer_key, message_text from support.{TABLE} order by all"
SUPPORT = Identity("sue", "support", {})
MARCH_1 = dt.date(2026, 3, 1)


def contact(day: int, customer: int) -> dict[str, object]:
    row: dict[str, object] = {"customer_id": customer, "interaction_type": "Complaint", "channel": "Email", "rating": 1}
    return row | {"message_excerpt": f"Words of {customer}", "timestamp": FIRST + day * DAY + customer}


def texts(settings: Settings, release: str | None = None) -> dict[tuple[int, str], str | None]:
    """Give what Support reads, by day of March and last part of the text."""
    rows = query(settings, TEXTS, identity=SUPPORT, release=release).rows
    return {(day.day, name): text for day, name, text in rows}


def words(settings: Settings) -> list[tuple[int, str | None]]:
    return sorted(((day, text) for (day, _), text in texts(settings).items()), key=str)


def served(settings: Settings) -> Manifest:
    return releases.required(settings, None)


def files_of_words(settings: Settings) -> set[str]:
    root = HomePaths(settings.home).partitions
    return {str(file.relative_to(root)) for file in (root / "support" / TABLE).rglob("*.parquet")}


def erase(settings: Settings, pseudonym: str) -> None:
    store = open_store(settings, Keyring.open(settings))
    with store.writing() as con:
        con.execute(delete(person).where(person.c.pseudonym == pseudonym))
    store.close()


def test_words_are_read_for_so_many_days_and_then_gone(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings.model_copy(update={"message_text_days": 30, "settle_after_days": 1})
    rows = [contact(day, customer) for day, customer in ((-1, 9), (0, 1), (1, 2), (2, 3), (2, 4), (40, 5))]
    rows.append(contact(2, 6) | {"message_excerpt": None})
    land(settings, "interactions", [write(tmp_path, "interactions", "all", rows)])

    def on(day: dt.date) -> None:
        monkeypatch.setattr(releasing, "business_day", lambda _: day)

    on(MARCH_1 + dt.timedelta(days=29))
    assert run(settings).published
    first, april = served(settings), (10, "Words of 5")
    assert words(settings) == [(1, "Words of 1"), april, (2, "Words of 2"), (3, "Words of 3"), (3, "Words of 4")]
    for role in ("data_engineer", "marketing", "finance", "analyst", "admin"):
        with pytest.raises((AccessDenied, ShoplakeError)):
            query(settings, f"select message_text from support.{TABLE}", identity=Identity("x", role, {}))

    # A day later, with nothing new: as if the process were killed right after the pointer moved.
    on(MARCH_1 + dt.timedelta(days=30))
    with monkeypatch.context() as patched:
        patched.setattr(releases, "withdraw", lambda *_: None)
        assert run(settings).published
    assert words(settings) == [april, (2, "Words of 2"), (3, "Words of 3"), (3, "Words of 4")]
    assert releases.sweep(settings) == 0
    second = served(settings)
    assert files_of_words(settings) == {f for p in second.tables[TABLE].partitions for f in p.files}
    assert texts(settings, first.release_id) == {}
    assert releases.changed_tables(first.tables, second.tables) == {TABLE: ["2026-03-01"]}
    assert not run(settings).published

    (who,) = {name for (_, name), text in texts(settings).items() if text == "Words of 3"}
    erase(settings, who)
    report = run(settings)
    assert report.published
    assert releases.changed_tables(second.tables, served(settings).tables) == {TABLE: ["2026-03-03"]}
    assert words(settings) == [april, (2, "Words of 2"), (3, "Words of 4"), (3, None)]
    assert texts(settings, second.release_id) == {}
    assert not run(settings).published

    wider = settings.model_copy(update={"message_text_days": 31})
    assert run(wider).published
    assert words(settings) == [(1, "Words of 1"), april, (2, "Words of 2"), (3, "Words of 4"), (3, None)]
    step_by_step = served(settings).tables
    assert run(wider, rebuild=True).published
    assert served(settings).tables == step_by_step
    assert run(settings.model_copy(update={"message_text_days": 0})).published
    assert texts(settings) == {}
    assert files_of_words(settings) == set()
