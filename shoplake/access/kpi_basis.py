"""What an answer rests on: of a release, that part alone which its question can read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from shoplake.access.kpi_inputs import EVENT_TIMES
from shoplake.access.kpi_needs import Needs
from shoplake.access.kpi_window import Clock, Sight, Window

if TYPE_CHECKING:
    from shoplake.access.kpi_definition import Kpi
    from shoplake.access.rights import Rights
    from shoplake.pipeline.manifest import Held, Manifest
    from shoplake.settings import Settings


SOURCE = re.compile(r"'(\w+)'")
"""A model asks for the watermark of a source by its name."""


@dataclass(frozen=True)
class Basis:
    """Two releases with the same basis answer a question alike."""

    digest: bytes
    held: frozenset[Held]
    """Every partition that the question can read."""


def basis_of(
    settings: Settings, manifest: Manifest, kpi: Kpi, window: Window, against: Window | None, rights: Rights | None
) -> Basis:
    """Give what the answer of a KPI over a window rests on, beside the question itself, the policy and the keys.

    That is every table and partition that a session for it opens, of the release and of the person's part of it; up to
    when each source is known and counts; what is quarantined on the window's days.
    """
    seen = [(kpi, one) for one in (window, against) if one is not None]
    clock, shown = Clock(manifest), [manifest] if rights is None else [manifest, rights.narrowed(manifest)]
    needed = [Needs(settings, one).of(seen) for one in shown]
    sights = [clock.now(kpi.sources, window), clock.earlier(kpi.sources, window, against)]
    quarantined = [manifest.quarantined.get(source, {}) for source in kpi.sources]
    days = {day.isoformat() for day in window.dates()}
    rests_on: list[Any] = [
        manifest.timezone,
        [_plain(sight, _sources(needed)) for sight in sights],
        [{day: rows for day, rows in by_day.items() if day in days} for by_day in quarantined],
        [one.tables for one in needed],
    ]
    digest = hashlib.blake2b(msgspec.json.encode(rests_on, order="sorted"), digest_size=32).digest()
    return Basis(digest, frozenset().union(*(msgspec.structs.replace(one, views={}).held() for one in needed)))


def _sources(needed: Sequence[Manifest]) -> set[str]:
    """Name the sources whose watermark can change what the tables hold as they stood at an earlier instant."""
    tables = {name: table for manifest in needed for name, table in manifest.tables.items()}
    named = {name for table in needed[0].tables.values() for name in SOURCE.findall(table.sql)}
    return named | {EVENT_TIMES[name][0] for name in tables if name in EVENT_TIMES}


def _plain(sight: Sight, sources: Collection[str]) -> list[Any]:
    cut = None if sight.cut is None else {source: at for source, at in sight.cut.items() if source in sources}
    return [sight.window, sight.known_until, cut, sight.is_running, sight.asked_days]
