"""What came and went in the lake since a release."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from shoplake.pipeline.plan import NO_DAYS, Changes, Days

if TYPE_CHECKING:
    from shoplake.pipeline.manifest import Manifest
    from shoplake.settings import Settings
    from shoplake.store.ledger import LedgerSnapshot


def changes_since(
    settings: Settings, snapshot: LedgerSnapshot, last: Manifest | None, only: Collection[str] | None = None
) -> Changes:
    """Compare the ledger with what ``last`` holds; without a release everything is new.

    Args:
        settings: the home.
        snapshot: the ledger.
        last: the release to compare with.
        only: sources whose changes are wanted; all others are given as ``last`` has them. None: all.

    """
    from shoplake.contracts import load_contracts

    contracts = load_contracts(settings)
    left_out = frozenset(contracts) - frozenset(only) if last is not None and only is not None else frozenset[str]()
    sources = {file.source for file in snapshot.files} | {change.source for change, *_ in snapshot.retired}
    changed = [
        change
        for source in sources - left_out
        for change in snapshot.changes_since(last.reaches(source) if last else 0, source)
    ]
    days: dict[str, set[dt.date]] = {}
    references = set()
    for change in changed:
        contract = contracts.get(change.source)
        if contract is None or contract.event_time is None:
            references.add(change.source)
        else:
            days.setdefault(change.source, set()).update(change.days)
    marks = {source: mark for source, mark in snapshot.watermarks().items() if source not in left_out}
    all_days = {
        source: business_days(snapshot.days(source), settings.timezone)
        for source, contract in contracts.items()
        if contract.event_time is not None and source not in left_out
    }
    if last is not None:
        marks |= {source: mark for source, mark in last.watermarks.items() if source in left_out}
        all_days |= {source: frozenset(span) for source, span in last.spans.items() if source in left_out}
    zone = ZoneInfo(settings.timezone)
    return Changes(
        days={source: business_days(found, settings.timezone) for source, found in days.items()},
        references=references,
        has_removals=any(change.kind == "retired" for change in changed),
        all_days=all_days,
        watermarks=marks,
        watermark_days={s: m.replace(tzinfo=dt.UTC).astimezone(zone).date() for s, m in marks.items()},
        left_out=left_out,
    )


def business_days(utc_days: Iterable[dt.date], timezone: str) -> Days:
    """Give the business days that UTC days may reach into."""
    if timezone == "UTC":
        return frozenset(utc_days)
    return NO_DAYS.union(*({day + dt.timedelta(days=n) for n in (-1, 0, 1)} for day in utc_days))
