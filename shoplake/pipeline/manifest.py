"""A release as data: which immutable partitions hold each table, and what is known about them."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

ALL = "all"
"""Label of the only partition of a table that is not kept by day."""


Held = tuple[str, str, str, int]
"""Key, table, content and key version of a partition: all that its rows rest on."""


class Partition(msgspec.Struct, frozen=True, omit_defaults=True):
    """The rows of one day, one settled month, or a whole small table."""

    label: str
    """``2026-01-05``, ``2026-01`` once the month is settled, or ``all``."""
    content: str
    """Hash of the rows, whatever their order: equal content has an equal name."""
    rows: int
    files: tuple[str, ...]
    """Paths below the partitions folder."""
    key_version: int
    span_end: str | None = None
    """Latest end of anything that starts in the partition (ISO, UTC), where the model names such a column."""

    def days(self) -> Iterator[dt.date]:
        """Give each business day that the partition may hold; none for ``all``."""
        return days_of_label(self.label)


class Table(msgspec.Struct, frozen=True, omit_defaults=True):
    """One table of a release."""

    database: str
    columns: dict[str, str]
    """Column name to DuckDB type, in order."""
    partition_by: str | None
    partitions: tuple[Partition, ...]
    sql: str = ""
    """The model's SQL with bare table names: what made these rows."""
    key: str = ""
    """Name of the data key of its files; empty where they are under their database's, as they once were."""
    since: dt.date | None = None
    """First day of a table whose rows last for some days; only the release that is served holds any."""

    @property
    def key_name(self) -> str:
        """Name the data key that opens the table's files."""
        return self.key or self.database

    @property
    def rows(self) -> int:
        """Count the rows over all partitions."""
        return sum(partition.rows for partition in self.partitions)

    def holding(self, days: Iterable[dt.date]) -> tuple[Partition, ...]:
        """Give the partitions that may hold any of ``days``."""
        labels = {label for day in days for label in (day.isoformat(), day.isoformat()[:7])}
        return tuple(p for p in self.partitions if p.label in labels)


class View(msgspec.Struct, frozen=True, omit_defaults=True):
    """Part of a table, in files of its own under a key of its own: for people who may not see all of the table."""

    table: str
    columns: tuple[str, ...]
    """In the order of the table's."""
    rows: dict[str, tuple[str, ...]] = {}
    """Values (as text) that a row must have, by column."""
    partitions: tuple[Partition, ...] = ()
    """Labels and contents are those of the partitions that they are taken from."""

    @property
    def view_id(self) -> str:
        """Name the view by what it shows: rights that show the same share it."""
        shown = msgspec.json.encode([self.table, self.columns, sorted(self.rows.items())])
        return hashlib.sha256(shown).hexdigest()[:16]

    @property
    def key_name(self) -> str:
        """Name the data key that opens the view's files."""
        return f"view.{self.view_id}"


class AuditCounts(msgspec.Struct, frozen=True):
    """How many audit tests a release passed, and how many warned."""

    passed: int
    failed: int
    warned: int = 0


class Restatement(msgspec.Struct, frozen=True):
    """What changed when a file came again with other content."""

    source: str
    file: str
    rows_added: int
    rows_removed: int
    rows_changed: int
    net_sales_moved: str | None


class Manifest(msgspec.Struct, frozen=True):
    """Everything that is needed to read a release, and where it came from."""

    release_id: str
    created_at: dt.datetime
    ledger_sequence: int
    timezone: str
    model_version: str
    watermarks: dict[str, dt.datetime]
    """Latest event time by source, UTC."""
    settled_through: dt.date | None
    tables: dict[str, Table]
    tests: AuditCounts
    changed: dict[str, int] = {}
    """Partitions written for this release, by table."""
    quarantined: dict[str, dict[str, int]] = {}
    """Rows quarantined and still open, by source and landing day."""
    restatements: tuple[Restatement, ...] = ()
    """Restatements that this release is the first to hold."""
    behind: dict[str, int] = {}
    """Change numbers up to which files of some sources count, which the release left as the one before had them."""
    spans: dict[str, tuple[dt.date, dt.date]] = {}
    """First and last business day of each source."""
    views: dict[str, View] = {}
    """Parts of tables for people who may not see the whole, by id."""
    format_version: Literal[1] = 1

    def parts(self) -> Iterator[Table | View]:
        """Give everything that has files: the tables, then the views."""
        yield from self.tables.values()
        yield from self.views.values()

    def held(self) -> frozenset[Held]:
        """Name every partition of the release, those of views included."""
        tables = [(name, table.key_name, table.partitions) for name, table in self.tables.items()]
        views = [(view.table, view.key_name, view.partitions) for view in self.views.values()]
        return frozenset((key, name, p.content, p.key_version) for name, key, parts in tables + views for p in parts)

    def reaches(self, source: str) -> int:
        """Give the change number of the ledger up to which files of ``source`` count."""
        return self.behind.get(source, self.ledger_sequence)

    def databases(self) -> list[str]:
        """List the databases in the release, the warehouse first."""
        names = {table.database for table in self.tables.values()}
        return sorted(names, key=lambda name: (name != "warehouse", name))


def days_of_label(label: str) -> Iterator[dt.date]:
    """Give the days of a partition label; none for ``all``."""
    if label == ALL:
        return
    parts = [int(part) for part in label.split("-")]
    day = dt.date(parts[0], parts[1], parts[2] if len(parts) > 2 else 1)  # noqa: PLR2004 - year, month, day
    yield day
    while len(parts) == 2 and (day := day + dt.timedelta(days=1)).month == parts[1]:  # noqa: PLR2004
        yield day


def encode(manifest: Manifest) -> bytes:
    """Give the manifest as readable JSON."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1)


def decode(data: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        msgspec.DecodeError: what is there is not a manifest.

    """
    return msgspec.json.decode(data, type=Manifest)
