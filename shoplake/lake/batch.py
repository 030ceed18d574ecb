"""Lands one batch of files as one lake object: lex, check, write, look back at what was written."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shoplake.files import durable_rename
from shoplake.home import HomePaths
from shoplake.keys.duckdb_session import add_parquet_key, copy_options, parquet_options, quoted, text
from shoplake.lake.checks import CheckedSql, checked_sql
from shoplake.lake.flags import CONFLICT, repair_codes, warning_codes
from shoplake.lake.objects import lake_key, lake_object_path
from shoplake.lake.protect import protect
from shoplake.sources.lexers import LONGEST_LINE
from shoplake.store.ledger import LakeObject

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shoplake.contracts import Contract
    from shoplake.keys.keyring import Keyring
    from shoplake.privacy.vault import Vault
    from shoplake.settings import Settings
    from shoplake.sources.lexers import TextRows
    from shoplake.sources.shape import Shape

PROVENANCE = ("_file_id", "_line")


@dataclass
class Offered:
    """A file that is offered for landing."""

    file_id: str
    logical_name: str
    shape: Shape


@dataclass
class FileOutcome:
    """What became of the rows of one file in a batch."""

    rows_read: int = 0
    rows_landed: int = 0
    rows_duplicate: int = 0
    rejected: list[tuple[int, tuple[str, ...], str]] = field(default_factory=list)
    """(line, reasons, raw line) of each row that broke a rule of severity error."""
    repaired_rows: int = 0
    repairs: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    drift: Counter[str] = field(default_factory=Counter)
    days: dict[dt.date, int] = field(default_factory=dict)
    min_event_at: dt.datetime | None = None
    max_event_at: dt.datetime | None = None


@dataclass
class BatchOutcome:
    """What one batch gave: an object (none if no row landed) and the outcome of each file by its id."""

    files: dict[str, FileOutcome]
    object: LakeObject | None
    path: Path | None


class NotPlainError(Exception):
    """DuckDB's reader and the count of lines disagree: the careful reader must take over."""


@dataclass
class Lander:
    """Lands batches of one source on one connection; each worker has its own."""

    settings: Settings
    contract: Contract
    keyring: Keyring
    vault: Vault
    con: DuckDBPyConnection
    now: dt.datetime
    late_before: dt.datetime | None = None
    """Events of a stream before this moment are marked as late; None marks none."""
    _drift: dict[str, Counter[str]] = field(default_factory=dict)

    def land(self, files: Sequence[Offered]) -> list[BatchOutcome]:
        """Land files of one shape as one object, or as a few where one of them is not plain."""
        if all(file.shape.is_plain for file in files):
            try:
                return [self._land_relation(files, self._plain_relation(files), has_kinds=False)]
            except NotPlainError:
                if len(files) > 1:
                    half = len(files) // 2
                    return self.land(files[:half]) + self.land(files[half:])
        self._lex(files)
        has_kinds = any(file.shape.format == "jsonl" for file in files)
        try:
            return [self._land_relation(files, "lexed", has_kinds=has_kinds, is_lexed=True)]
        finally:
            self.con.execute("drop table lexed")

    def land_lines(self, file: Offered, rows: Iterable[TextRows], *, known: str = "", name: str = "") -> BatchOutcome:
        """Land lines that are in memory: of a stream, or of a file out of quarantine.

        Args:
            file: the file; its shape says how many lines there are.
            rows: the lines, cut into text.
            known: SELECT of the file's rows that landed before; equal ones count as duplicates.
            name: what makes the object's name unique, where the file has other objects.

        """
        self._make_lexed(has_kinds=file.shape.format == "jsonl")
        drift = self._drift[file.file_id] = Counter()
        for chunk in rows:
            self._add_lexed(file, chunk)
            drift.update(chunk.drift)
        try:
            return self._land_relation(
                [file], "lexed", has_kinds=file.shape.format == "jsonl", is_lexed=True, known=known, salt=name
            )
        finally:
            self.con.execute("drop table lexed")

    def _land_relation(
        self,
        files: Sequence[Offered],
        relation: str,
        *,
        has_kinds: bool,
        is_lexed: bool = False,
        known: str = "",
        salt: str = "",
    ) -> BatchOutcome:
        sql = checked_sql(self.contract, relation, now=self.now, has_kinds=has_kinds, late_before=self.late_before)
        outcomes = {file.file_id: FileOutcome() for file in files}
        name, part = self._place(files, salt)
        landed = self._write(sql.landable, part)
        if known:
            self._drop_known(outcomes[files[0].file_id], part, known)
        expected = sum(file.shape.rows for file in files)
        if is_lexed or landed != expected:
            self._collect_rejected(files, outcomes, sql, relation, None if is_lexed else expected - landed)
        landed = self._look_back(outcomes, part)
        for file in files:
            outcome = outcomes[file.file_id]
            outcome.rows_read = outcome.rows_landed + outcome.rows_duplicate + len(outcome.rejected)
            outcome.drift.update(self._drift[file.file_id] if is_lexed else {})
            outcome.drift.update(dict.fromkeys(file.shape.unknown, outcome.rows_read))
        if not landed:
            part.unlink(missing_ok=True)
            return BatchOutcome(outcomes, None, None)
        version = self.keyring.current(lake_key(self.contract.source)).version
        lake_object = LakeObject(name, self.contract.source, "rows", version, landed, part.stat().st_size)
        return BatchOutcome(outcomes, lake_object, part)

    def _place(self, files: Sequence[Offered], salt: str) -> tuple[str, Path]:
        """Name the object after its files and the contract, so that landing again after a crash writes the same."""
        identity = "|".join([self.contract.version, salt, *sorted(file.file_id for file in files)])
        name = hashlib.sha256(identity.encode()).hexdigest()[:24]
        folder = HomePaths(self.settings.home).lake / self.contract.source
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return name, folder / f".{name}.part"

    def _plain_relation(self, files: Sequence[Offered]) -> str:
        """Give the relation that DuckDB reads straight from the files, with line numbers."""
        first = files[0].shape
        if first.format == "parquet":
            return self._parquet_relation(files)
        names = [f"column{n}" for n in range(len(first.header))]
        columns = ", ".join(f"{text(name)}: 'VARCHAR'" for name in names)
        quote = "quote = '\"', escape = '\"'" if any(f.shape.has_quotes for f in files) else "quote = '', escape = ''"
        paths = ", ".join(text(str(file.shape.path)) for file in files)
        reader = (
            f"read_csv([{paths}], header = true, auto_detect = false, columns = {{{columns}}}, parallel = false, "
            f"delim = {text(first.delimiter)}, {quote}, compression = {text(first.compression)}, filename = 'path', "
            f"max_line_size = {LONGEST_LINE}, nullstr = '')"
        )
        numbered = f"select *, row_number() over () as n from {reader}"
        places = (first.columns.get(f.name) for f in self.contract.fields)
        fields = ", ".join(
            f"column{place} as f{n}" if place is not None else f"null::varchar as f{n}"
            for n, place in enumerate(places)
        )
        if len(files) == 1:
            place = f"{text(files[0].file_id)} as _file_id, n + 1 as _line, null::varchar as _broken"
            return f"(select {fields}, {place} from ({numbered}))"
        self._note_files(files)
        return (
            f"(select {fields}, file_id as _file_id, n - rows_before + 1 as _line, null::varchar as _broken "
            f"from ({numbered}) join batch_files using (path))"
        )

    def _note_files(self, files: Sequence[Offered]) -> None:
        import pyarrow as pa

        before, starts = 0, []
        for file in files:
            starts.append(before)
            before += file.shape.rows
        noted = pa.table(  # noqa: F841 - read by name
            {
                "path": [str(file.shape.path) for file in files],
                "file_id": [file.file_id for file in files],
                "rows_before": starts,
            }
        )
        self.con.execute("create or replace temp table batch_files as select * from noted")

    def _parquet_relation(self, files: Sequence[Offered]) -> str:
        """Read each value as text, so that the same checks hold for it."""
        import duckdb

        from shoplake.sources.shape import Refused

        (file,) = files
        reader = f"read_parquet({text(str(file.shape.path))}, file_row_number = true)"
        try:
            found = self.con.execute(f"describe select * from {reader}").fetchall()
            rows = self.con.execute(f"select count(*) from {reader}").fetchall()[0][0]
        except duckdb.Error as error:
            raise Refused(f"the Parquet file cannot be read: {str(error).splitlines()[0]}") from error
        given = {str(row[0]).strip().lower(): str(row[0]) for row in found if row[0] != "file_row_number"}
        known = {f.name for f in self.contract.fields}
        missing = [f.name for f in self.contract.fields if f.required and f.name not in given]
        if missing:
            raise Refused(f"the required column(s) {', '.join(missing)} are missing")
        file.shape = replace(file.shape, rows=rows, unknown=tuple(sorted(given.keys() - known)))
        fields = ", ".join(
            f"nullif({quoted(given[f.name])}::varchar, '') as f{n}" if f.name in given else f"null::varchar as f{n}"
            for n, f in enumerate(self.contract.fields)
        )
        provenance = f"{text(file.file_id)} as _file_id, file_row_number + 1 as _line, null::varchar as _broken"
        return f"(select {fields}, {provenance} from {reader})"

    def _lex(self, files: Sequence[Offered]) -> None:
        """Fill the temporary table ``lexed`` from the careful reader."""
        from shoplake.sources.lexers import lex

        names = [f.name for f in self.contract.fields]
        self._make_lexed(has_kinds=any(file.shape.format == "jsonl" for file in files))
        for file in files:
            drift = self._drift[file.file_id] = Counter()
            for rows in lex(file.shape, names):
                self._add_lexed(file, rows)
                drift.update(rows.drift)

    def _make_lexed(self, *, has_kinds: bool) -> None:
        fields = ", ".join(f"f{n} varchar" for n in range(len(self.contract.fields)))
        kinds = ", _kinds varchar" if has_kinds else ""
        self.con.execute(
            f"create or replace temp table lexed ({fields}, _file_id varchar, _line bigint, _broken varchar, "
            f"_raw varchar{kinds})"
        )

    def _add_lexed(self, file: Offered, rows: TextRows) -> None:
        import pyarrow as pa

        columns: dict[str, Any] = {f"f{n}": pa.array(c, pa.string()) for n, c in enumerate(rows.columns)}
        columns["_file_id"] = pa.array([file.file_id] * len(rows.lines), pa.string())
        columns["_line"] = pa.array(rows.lines, pa.int64())
        columns["_broken"] = pa.array(rows.broken, pa.string())
        columns["_raw"] = pa.array(rows.raw, pa.string())
        if rows.kinds is not None:
            columns["_kinds"] = pa.array(rows.kinds, pa.string())
        chunk = pa.table(columns)  # noqa: F841 - read by name
        self.con.execute("insert into lexed by name select * from chunk")

    def _write(self, landable: str, part: Path) -> int:
        """Write the landable rows, personal fields protected, encrypted; give their number."""
        import duckdb

        key = add_parquet_key(self.con, self.keyring.current(lake_key(self.contract.source)))
        try:
            if any(f.personal for f in self.contract.fields):
                landable = protect(self.con, self.contract, self.vault, landable)
            stamped = (
                f"select * exclude (_flags), timestamp {text(str(self.now))} as _landed_at, _flags from ({landable})"
            )
            row = self.con.execute(f"copy ({stamped}) to {text(str(part))} ({copy_options(key)})").fetchone()
        except (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.IOException) as error:
            if "CSV" in str(error) or "line" in str(error).lower():
                raise NotPlainError from error
            raise
        return int(row[0]) if row else 0

    def _collect_rejected(
        self,
        files: Sequence[Offered],
        outcomes: dict[str, FileOutcome],
        sql: CheckedSql,
        relation: str,
        expected: int | None,
    ) -> None:
        rows = self.con.execute(sql.rejected).fetchall()
        if expected is not None and len(rows) != expected:
            raise NotPlainError
        wanted: dict[str, list[tuple[int, tuple[str, ...]]]] = {}
        for file_id, line, reasons in rows:
            wanted.setdefault(file_id, []).append((line, tuple(reasons)))
        for file in files:
            found = sorted(wanted.get(file.file_id, []))
            if found:
                raw = self._raw_lines(file, [line for line, _ in found], relation)
                outcomes[file.file_id].rejected = [(line, reasons, raw[line]) for line, reasons in found]

    def _raw_lines(self, file: Offered, lines: list[int], relation: str) -> dict[int, str]:
        if relation == "lexed":
            query = "select _line, _raw from lexed where _file_id = ?"
            return dict(self.con.execute(query, [file.file_id]).fetchall())
        if file.shape.format == "parquet":
            return dict(self.parquet_lines(file))
        return _read_lines(file.shape, lines)

    def parquet_lines(self, file: Offered) -> list[tuple[int, str]]:
        """Give (row number, JSON of the row's texts) for each row of a Parquet file."""
        names = ", ".join(f"{quoted(f.name)} := f{n}" for n, f in enumerate(self.contract.fields))
        query = f"select _line, to_json(struct_pack({names}))::varchar from {self._parquet_relation([file])}"
        return self.con.execute(query).fetchall()

    def _look_back(self, outcomes: dict[str, FileOutcome], part: Path) -> int:
        """Read keys, flags and times of what was written; drop exact duplicates and flag conflicts if there are any."""
        key = add_parquet_key(self.con, self.keyring.current(lake_key(self.contract.source)))
        source = f"read_parquet({text(str(part))}, {parquet_options(key)})"
        identity = ", ".join(quoted(name) for name in self.contract.key)
        counts = self.con.execute(
            f"select _file_id, count(*), count(distinct hash({identity})) from {source} group by _file_id"
        ).fetchall()
        if any(rows != keys for _, rows, keys in counts):
            before = {file_id: rows for file_id, rows, _ in counts}
            self._resolve(source, part, key)
            after = self.con.execute(f"select _file_id, count(*) from {source} group by _file_id").fetchall()
            for file_id, rows in after:
                outcomes[file_id].rows_duplicate += before[file_id] - rows
            counts = [(file_id, rows, 0) for file_id, rows in after]
        for file_id, rows, _ in counts:
            outcomes[file_id].rows_landed = rows
        self._count_flags(outcomes, source)
        if self.contract.event_time:
            self._count_days(outcomes, source)
        return sum(rows for _, rows, _ in counts)

    def _resolve(self, source: str, part: Path, key: str) -> None:
        """Keep the first of exact duplicates within a file; flag rows that share a key with other content."""
        # Ciphertexts differ for equal texts, so equal messages are told by what else the row holds.
        compared = [f.name for f in self.contract.fields if f.personal != "text"]
        fields = ", ".join(quoted(name) for name in compared)
        identity = ", ".join(quoted(name) for name in self.contract.key)
        digest = f"hash({identity}, _file_id)"
        suspects = f"{digest} in (select {digest} from {source} group by all having count(*) > 1)"
        is_shared = f"count(*) over (partition by _file_id, {identity}) > 1"
        flagged = f"(case when {is_shared} then _flags | {CONFLICT} else _flags end)::uinteger"
        other = part.with_suffix(".resolved")
        self.con.execute(
            f"copy (select * from {source} where not ({suspects}) union all by name "
            f"select * replace ({flagged} as _flags) from (select * from {source} where {suspects} "
            f"qualify row_number() over (partition by _file_id, {fields} order by _line) = 1)) "
            f"to {text(str(other))} ({copy_options(key)})"
        )
        other.replace(part)

    def _drop_known(self, outcome: FileOutcome, part: Path, known: str) -> None:
        """Take out the rows that landed with the file before; they are duplicates."""
        key = add_parquet_key(self.con, self.keyring.current(lake_key(self.contract.source)))
        source = f"read_parquet({text(str(part))}, {parquet_options(key)})"
        # Ciphertexts differ for equal texts, so equal messages are told by what else the row holds.
        compared = [quoted(f.name) for f in self.contract.fields if f.personal != "text"]
        equal = " and ".join(f"n.{c} is not distinct from k.{c}" for c in compared)
        other = part.with_suffix(".resolved")
        before = self.con.execute(f"select count(*) from {source}").fetchone() or (0,)
        self.con.execute(
            f"copy (select * from {source} as n where not exists (select 1 from ({known}) as k where {equal})) "
            f"to {text(str(other))} ({copy_options(key)})"
        )
        other.replace(part)
        after = self.con.execute(f"select count(*) from {source}").fetchone() or (0,)
        outcome.rows_duplicate += before[0] - after[0]

    def _count_flags(self, outcomes: dict[str, FileOutcome], source: str) -> None:
        repairs, warnings = repair_codes(self.contract), warning_codes(self.contract)
        rows = self.con.execute(
            f"select _file_id, _flags, count(*) from {source} where _flags <> 0 group by all"
        ).fetchall()
        for file_id, flags, count in rows:
            outcome = outcomes[file_id]
            fixed = [code for code, bit in repairs.items() if flags & bit]
            outcome.repairs.update(dict.fromkeys(fixed, count))
            outcome.warnings.update({code: count for code, bit in warnings.items() if flags & bit})
            outcome.repaired_rows += count if fixed else 0

    def _count_days(self, outcomes: dict[str, FileOutcome], source: str) -> None:
        moment = quoted(self.contract.event_time or "")
        rows = self.con.execute(
            f"select _file_id, {moment}::date, count(*), min({moment}), max({moment}) from {source} group by 1, 2"
        ).fetchall()
        for file_id, day, count, first, last in rows:
            outcome = outcomes[file_id]
            outcome.days[day] = count
            outcome.min_event_at = min(outcome.min_event_at or first, first)
            outcome.max_event_at = max(outcome.max_event_at or last, last)

    def keep(self, outcome: BatchOutcome) -> None:
        """Give the written object its name in the lake."""
        if outcome.object is not None and outcome.path is not None:
            o = outcome.object
            place = lake_object_path(HomePaths(self.settings.home), o.source, o.kind, o.name, o.key_version)
            durable_rename(outcome.path, place)


def _read_lines(shape: Shape, lines: list[int]) -> dict[int, str]:
    """Read the wanted lines (1-based, ascending) of a plain file."""
    from shoplake.sources.shape import opened

    wanted, found = set(lines), {}
    with opened(shape.path, shape.compression) as stream:
        for number, line in enumerate(stream, start=1):
            if number in wanted:
                found[number] = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
                if len(found) == len(wanted):
                    break
    return found
