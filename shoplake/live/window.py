"""Counts of the last 60 minutes in an in-memory DuckDB: by minute, page, device and type, never an event by itself.

Sessions are kept as hashes under a number that this process draws, one for each minute, page and device that it was
seen in. Past `MOST_SEEN` of them only every second, fourth, … hash is kept, and sessions are estimated from those.
"""

from __future__ import annotations

import datetime as dt
import secrets
from typing import TYPE_CHECKING, Any

from shoplake.keys.duckdb_session import text

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shoplake.contracts import Contract

MINUTES = 60
AHEAD = dt.timedelta(minutes=MINUTES)
"""Events that are so far ahead of the clock, or less, are counted once their time has come."""
SHOWN_PAGES = 50
MOST_PAGES = 5_000
"""At more, the rarer half is counted together."""
MOST_SEEN = 1_000_000
MOST_ROWS = 500_000
LONGEST_NAME = 200
LANDED = 0
"""The part that counts what has landed; others count what waits."""
OTHER, NONE = "(other)", "(none)"
OTHER_PAGE = 0
TABLES = {
    "views": "part bigint, minute timestamp, page ubigint, device varchar, events bigint, newest timestamp",
    "seen": "part bigint, minute timestamp, page ubigint, device varchar, session ubigint, share uinteger",
    "calls": (
        "part bigint, minute timestamp, kind varchar, events bigint, rated bigint, rating bigint, newest timestamp"
    ),
}
"""``share`` is 1 where every session was kept, 2 where every second one, and so on."""
COMPACTED = {
    "views": "select part, minute, page, device, sum(events)::bigint, max(newest) from views {where} group by all",
    "seen": "select part, minute, page, device, session, max(share) from seen {where} group by all",
    "calls": (
        "select part, minute, kind, sum(events)::bigint, sum(rated)::bigint, sum(rating)::bigint, max(newest) "
        "from calls {where} group by all"
    ),
}
WEB_EVENTS, INTERACTIONS = "web_events", "interactions"
SOURCES = (WEB_EVENTS, INTERACTIONS)


def first_minute(now: dt.datetime) -> dt.datetime:
    """Give the start of the window whose last minute is the one of ``now``."""
    return now.replace(second=0, microsecond=0) - dt.timedelta(minutes=MINUTES - 1)


class Window:
    """The counts; one thread uses it at a time. Times are UTC, without a zone."""

    def __init__(self, con: DuckDBPyConnection, web_events: Contract) -> None:
        """Count in tables of ``con``; devices that ``web_events`` does not know are counted together."""
        devices = next((f.allowed for f in web_events.fields if f.name == "device_type"), None) or ()
        known = ", ".join(text(device) for device in devices) or "null"
        self._con, self._salt, self._share, self._compacted_at = con, secrets.randbits(62), 1, dt.datetime.min
        self._device = (
            f"case when device_type is null then '{NONE}' when device_type in ({known}) then device_type "
            f"else '{OTHER}' end"
        )
        con.execute("create table pages (page ubigint, name varchar)")
        con.execute(f"insert into pages values ({OTHER_PAGE}, '{OTHER}')")
        self.clear()

    def clear(self) -> None:
        """Count nothing."""
        for name, columns in TABLES.items():
            self._con.execute(f"create or replace table {name} ({columns})")
        self._share = 1

    def drop(self, part: int) -> None:
        """Count a part no longer."""
        for name in TABLES:
            self._con.execute(f"delete from {name} where part = {part}")

    def count(self, source: str, rows: str, part: int, now: dt.datetime) -> None:
        """Count rows of a source.

        Args:
            source: which one.
            rows: a relation in SQL that has the fields of the source's contract; it is read once.
            part: which part they belong to.
            now: what time it is.

        """
        first = first_minute(now)
        window = f"\"timestamp\" >= timestamp '{first}' and \"timestamp\" < timestamp '{now + AHEAD}'"
        minute = "date_trunc('minute', \"timestamp\")"
        if source == INTERACTIONS:
            self._con.execute(
                f"insert into calls select {part}, {minute}, interaction_type, count(*), count(rating), "
                f'coalesce(sum(rating), 0), max("timestamp") from {rows} where {window} group by all'
            )
            return
        self._con.execute(
            f"create or replace temp table fresh as select {minute} as minute, hash(page) as page, "
            f"left(any_value(page), {LONGEST_NAME}) as name, {self._device} as device, "
            f'hash(session_id, {self._salt}) as session, count(*) as events, max("timestamp") as newest '
            f"from {rows} where {window} group by all"
        )
        self._con.execute(
            f"insert into views select {part}, minute, page, device, sum(events)::bigint, max(newest) from fresh "
            "group by all"
        )
        self._con.execute(
            f"insert into seen select {part}, minute, page, device, session, {self._share} from fresh "
            f"where session % {self._share} = 0"
        )
        self._con.execute(
            "insert into pages select page, any_value(name) from fresh "
            "where page not in (select page from pages) group by page"
        )
        self._con.execute("drop table fresh")
        self._bound(now)

    def turn(self, now: dt.datetime) -> None:
        """Forget what has left the window, once a minute."""
        if now.replace(second=0, microsecond=0) != self._compacted_at:
            self._compact(now)
            # Sessions may be kept again once those of a flood have left.
            if self._rows("seen") < MOST_SEEN // 4:
                self._share = 1

    def _bound(self, now: dt.datetime) -> None:
        """Keep the tables small, whatever comes."""
        if self._rows("pages") > MOST_PAGES:
            self._con.execute(
                "create or replace temp table kept as select page from views group by page "
                f"order by sum(events) desc, page limit {MOST_PAGES // 2}"
            )
            for name in ("views", "seen"):
                self._con.execute(f"update {name} set page = {OTHER_PAGE} where page not in (select page from kept)")
            self._con.execute(f"delete from pages where page <> {OTHER_PAGE} and page not in (select page from kept)")
            self._compact(now)
        elif self._rows("views") > MOST_ROWS or self._rows("calls") > MOST_ROWS or self._rows("seen") > MOST_SEEN:
            self._compact(now)
        while self._rows("seen") > MOST_SEEN:
            self._share *= 2
            self._compact(now, f"and session % {self._share} = 0")
            self._con.execute(f"update seen set share = {self._share}")

    def _compact(self, now: dt.datetime, only_seen: str = "") -> None:
        for name, query in COMPACTED.items():
            where = f"where minute >= timestamp '{first_minute(now)}' {only_seen if name == 'seen' else ''}"
            self._con.execute(f"create table compacted ({TABLES[name]})")
            self._con.execute(f"insert into compacted {query.format(where=where)}")
            self._con.execute(f"drop table {name}")
            self._con.execute(f"alter table compacted rename to {name}")
        self._con.execute(f"delete from pages where page <> {OTHER_PAGE} and page not in (select page from views)")
        self._compacted_at = now.replace(second=0, microsecond=0)

    def _rows(self, table: str) -> int:
        row = self._con.execute(f"select count(*) from {table}").fetchone()
        return int(row[0]) if row else 0

    def answer(self, now: dt.datetime) -> dict[str, Any]:
        """Give the counts of the window that ends with the minute of ``now``; `shoplake.live.process` has the shape."""
        first = first_minute(now)
        last = first + dt.timedelta(minutes=MINUTES)
        during = f"minute >= timestamp '{first}' and minute < timestamp '{last}'"
        share = int(self._values(f"select coalesce(max(share), 1) from seen where {during}")[0][0])
        seen = f"(select * from seen where {during} and session % {share} = 0)"
        views = f"(select * from views where {during})"
        minutes = [first + dt.timedelta(minutes=n) for n in range(MINUTES)]
        return {
            "from": stamp(first),
            "to": stamp(last),
            "web_events": self._web_events(views, seen, share, minutes),
            "interactions": self._interactions(f"(select * from calls where {during})", minutes),
        }

    def _web_events(self, views: str, seen: str, share: int, minutes: list[dt.datetime]) -> dict[str, Any]:
        by_minute = self._by("minute", views, seen, share)
        devices = sorted(self._by("device", views, seen, share).items(), key=lambda item: (-item[1]["events"], item[0]))
        shown = (
            f"(select v.page, p.name from {views} as v join pages as p using (page) where page <> {OTHER_PAGE} "
            f"group by all order by sum(events) desc, p.name limit {SHOWN_PAGES})"
        )
        name = f"* replace (coalesce(name, '{OTHER}') as page)"
        named = f"(select {name} from {{}} as t left join {shown} as s using (page))"
        pages = self._by("page", named.format(views), named.format(seen), share)
        other = pages.pop(OTHER, None)
        listed = sorted(pages.items(), key=lambda item: (-item[1]["events"], item[0]))
        sessions = self._values(f"select count(distinct session) * {share} from {seen}")[0][0]
        return {
            "events": sum(counts["events"] for counts in by_minute.values()),
            "sessions": sessions,
            "newest_at": self._newest(views),
            "are_sessions_estimated": share > 1,
            "pages": [{"page": page, **counts} for page, counts in [*listed, *([(OTHER, other)] if other else [])]],
            "devices": [{"device": device, **counts} for device, counts in devices],
            "minutes": [
                {"minute": stamp(minute), **by_minute.get(minute, {"events": 0, "sessions": 0})} for minute in minutes
            ],
        }

    def _by(self, column: str, views: str, seen: str, share: int) -> dict[Any, dict[str, int]]:
        """Give events and sessions by a column."""
        rows = self._values(
            f"select {column}, events, coalesce(sessions, 0) from "
            f"(select {column}, sum(events)::bigint as events from {views} group by 1) left join "
            f"(select {column}, count(distinct session) * {share} as sessions from {seen} group by 1) using ({column})"
        )
        return {value: {"events": events, "sessions": sessions} for value, events, sessions in rows}

    def _interactions(self, calls: str, minutes: list[dt.datetime]) -> dict[str, Any]:
        types = self._values(f"select kind, sum(events)::bigint from {calls} group by 1 order by 2 desc, 1")
        per_minute = {
            minute: {"interactions": events, "complaints": complaints}
            for minute, events, complaints in self._values(
                "select minute, sum(events)::bigint, coalesce(sum(events) filter (kind = 'Complaint'), 0)::bigint "
                f"from {calls} group by 1"
            )
        }
        total = sum(events for _, events in types)
        rated, rating = self._values(f"select coalesce(sum(rated), 0)::bigint, sum(rating)::bigint from {calls}")[0]
        return {
            "interactions": total,
            "complaints": dict(types).get("Complaint", 0),
            "newest_at": self._newest(calls),
            "ratings": rated,
            "mean_rating": rating / rated if rated else None,
            "mean_rating_reason": None if rated else "no_rating" if total else "no_interaction",
            "types": [{"type": kind, "interactions": events} for kind, events in types],
            "minutes": [
                {"minute": stamp(m), **per_minute.get(m, {"interactions": 0, "complaints": 0})} for m in minutes
            ],
        }

    def _newest(self, rows: str) -> str | None:
        """Give the time of the newest event."""
        (newest,) = self._values(f"select max(newest) from {rows}")[0]
        return stamp(newest) if newest is not None else None

    def _values(self, query: str) -> list[tuple[Any, ...]]:
        return self._con.execute(query).fetchall()


def stamp(moment: dt.datetime) -> str:
    """Write a moment (UTC, naive) as RFC 3339."""
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds") + "Z"
