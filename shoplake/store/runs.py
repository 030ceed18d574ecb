"""The record of the pipeline's runs: when each began, how it ended, and whether the last one was cut off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from shoplake.store import tables as t
from shoplake.store.ledger_rows import new_key, utc_now

if TYPE_CHECKING:
    from shoplake.store.engine import Store


class Runs:
    """Reads and writes it."""

    def __init__(self, store: Store) -> None:
        """Keep the record in ``store``."""
        self.store = store

    def start_run(self, again: int | None = None) -> int:
        """Record that a run begins, in the place of an earlier record where one is given; give its number."""
        values: dict[str, Any] = {
            "started_at": utc_now(),
            "finished_at": None,
            "status": "running",
            "release_id": None,
            "detail": {},
        }
        with self.store.writing() as con:
            if again is None:
                return new_key(con, insert(t.pipeline_run).values(values))
            con.execute(update(t.pipeline_run).where(t.pipeline_run.c.id == again).values(values))
            return again

    def finish_run(self, run_id: int, *, status: str, release_id: str | None, detail: Mapping[str, Any]) -> None:
        """Record how a run ended."""
        values = {"finished_at": utc_now(), "status": status, "release_id": release_id, "detail": dict(detail)}
        with self.store.writing() as con:
            con.execute(update(t.pipeline_run).where(t.pipeline_run.c.id == run_id).values(values))

    def interrupted_run(self) -> bool:
        """Say whether an earlier run was cut off, and note it as ended. Call under the home's lock."""
        running = t.pipeline_run.c.status == "running"
        with self.store.writing() as con:
            done = con.execute(
                update(t.pipeline_run).where(running).values(status="interrupted", finished_at=utc_now())
            )
            return bool(done.rowcount)

    def runs(self, limit: int = 20) -> list[dict[str, Any]]:
        """List the latest runs, newest first."""
        query = (
            select(t.pipeline_run).order_by(t.pipeline_run.c.started_at.desc(), t.pipeline_run.c.id.desc()).limit(limit)
        )
        with self.store.reading() as con:
            return [dict(row._mapping) for row in con.execute(query)]
