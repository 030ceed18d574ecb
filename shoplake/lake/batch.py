"""Lands one batch of files as one lake object: lex, check, write, look back at what was written."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shoplake.files import durable_rename
from shoplake.home import HomePaths
from shoplake.keys.duckdb_session import add_parquet_key, copy_options, quoted, text
from shoplake.lake.checks import CheckedSql, checked_sql, typed_sql
from shoplake.lake.events import EventBatch
from shoplake.lake.flags import row_layout
from shoplake.lake.lookback import Written, written_file
from shoplake.lake.objects import lake_key, lake_object_path
from shoplake.lake.outcomes import BatchOutcome, FileOutcome
from shoplake.lake.protect import forget_clear, protect, protected_rows
from shoplake.lake.relations import Offered, Relation, parquet_relation, text_relation, typed_relation
from shoplake.lake.written_rows import WrittenRows
from shoplake.sources.json_lines import blocks_of
from shoplake.store.ledger import LakeObject

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shoplake.contracts import Contract
    from shoplake.keys.keyring import Keyring
    from shoplake.privacy.vault import Vault
    from shoplake.settings import Settings
    from shoplake.sources.lexers import TextRows
    from shoplake.sources.shape import Shape

LEXED = "lexed"


class NotPlainError(Exception):
    """DuckDB's reader and the count of lines disagree: the careful reader must take over."""


@dataclass(frozen=True)
class _Rows:
    """Rows to land together, from one relation: the SQL that checks them, and how many they are."""

    relation: Relation
    sql: CheckedSql
    count: int


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
        """Land files of one shape as one object, or as a few where one of them is not what it seemed."""
        if all(file.shape.format == "jsonl" and file.shape.encoding == "utf-8" for file in files):
            return [self.land_events([(file, blocks_of(file.shape)) for file in files])]
        try:
            if files[0].shape.reading != "careful":
                return [self._land_plain(files)]
        except NotPlainError:
            if len(files) > 1:
                half = len(files) // 2
                return self.land(files[:half]) + self.land(files[half:])
        with self._lexed(files):
            for file in files:
                self._lex(file)
            return [self._land_rows(files, [self._lexed_rows(files)])]

    def land_events(self, files: Sequence[tuple[Offered, Iterable[bytes]]]) -> BatchOutcome:
        """Land JSON Lines as one object; each file comes as blocks of bytes, from disk or from memory.

        A file in memory has the shape that `shoplake.sources.json_lines.events_shape` gives.
        """
        batch = EventBatch(self.con, self.contract, self.now, self.late_before)
        outcomes = {file.file_id: FileOutcome() for file, _ in files}
        try:
            for file, blocks in files:
                batch.add(file.file_id, blocks)
            batch.check()
            duplicates = batch.drop_duplicates()
            landed = self._written_rows().count(outcomes, "clear_rows")
            for file_id, outcome in outcomes.items():
                outcome.rejected, outcome.drift = sorted(batch.rejected[file_id]), batch.drift[file_id]
                outcome.rows_duplicate = duplicates.get(file_id, 0)
                outcome.rows_read = outcome.rows_landed + outcome.rows_duplicate + len(outcome.rejected)
            if not landed:
                return BatchOutcome(outcomes, None, None)
            name, part = self._place([file for file, _ in files], "")
            self._write_clear(part)
        finally:
            forget_clear(self.con, self.contract)
        return BatchOutcome(outcomes, self._object(name, landed, part), part)

    def land_lines(self, file: Offered, rows: Iterable[TextRows], *, known: str, name: str) -> BatchOutcome:
        """Land lines of a file that come out of quarantine.

        Args:
            file: the file; its shape says how many lines there are.
            rows: the lines, cut into text.
            known: SELECT of the file's rows that landed before; equal ones count as duplicates.
            name: what makes the object's name unique.

        """
        with self._lexed([file]):
            for chunk in rows:
                self._add_lexed(file, chunk)
            return self._land_rows([file], [self._lexed_rows([file])], known=known, salt=name)

    def _land_plain(self, files: Sequence[Offered]) -> BatchOutcome:
        """Land files whose plain lines are read by a short cut; their odd lines get the careful look."""
        from shoplake.sources.lexers import lex_odd

        plain = self._plain_rows(files)
        if not any(file.shape.odd for file in files):
            return self._land_rows(files, [plain])
        names = [f.name for f in self.contract.fields]
        with self._lexed(files):
            for file in files:
                for rows in lex_odd(file.shape, names):
                    self._add_lexed(file, rows)
            return self._land_rows(files, [plain, self._lexed_rows(files)])

    def _plain_rows(self, files: Sequence[Offered]) -> _Rows:
        shape = files[0].shape
        if shape.reading == "typed":
            relation = typed_relation(self.con, self.contract, files)
            checked = typed_sql(self.contract, relation.sql, now=self.now)
        else:
            is_parquet = shape.format == "parquet"
            relation = (parquet_relation if is_parquet else text_relation)(self.con, self.contract, files)
            checked = checked_sql(self.contract, relation.sql, now=self.now)
        return _Rows(relation, checked, sum(file.shape.rows - len(file.shape.odd) for file in files))

    def _lexed_rows(self, files: Sequence[Offered]) -> _Rows:
        has_kinds = any(file.shape.format == "jsonl" for file in files)
        checked = checked_sql(self.contract, LEXED, now=self.now, has_kinds=has_kinds)
        count = self.con.execute(f"select count(*) from {LEXED}").fetchall()[0][0]
        return _Rows(Relation(LEXED), checked, count)

    def _land_rows(
        self, files: Sequence[Offered], inputs: Sequence[_Rows], *, known: str = "", salt: str = ""
    ) -> BatchOutcome:
        outcomes = {file.file_id: FileOutcome() for file in files}
        name, part = self._place(files, salt)
        for rows in inputs:
            rows.relation.prepare()
        written = self._write(" union all ".join(rows.sql.landable for rows in inputs), part)
        if known:
            self._written_rows().drop_known(outcomes[files[0].file_id], part, known)
        rejected = sum(rows.count for rows in inputs) - written.rows
        if rejected:
            self._collect_rejected(files, outcomes, inputs, rejected)
        landed = self._written_rows().look_back(outcomes, part, None if known else written)
        for file in files:
            outcome = outcomes[file.file_id]
            outcome.rows_read = outcome.rows_landed + outcome.rows_duplicate + len(outcome.rejected)
            outcome.drift.update(self._drift.pop(file.file_id, {}))
            outcome.drift.update(dict.fromkeys(file.shape.unknown, outcome.rows_read))
        if not landed:
            part.unlink(missing_ok=True)
            return BatchOutcome(outcomes, None, None)
        return BatchOutcome(outcomes, self._object(name, landed, part), part)

    def _object(self, name: str, rows: int, part: Path) -> LakeObject:
        version = self.keyring.current(lake_key(self.contract.source)).version
        held = (rows, part.stat().st_size, row_layout(self.contract))
        return LakeObject(name, self.contract.source, "rows", version, *held)

    def _place(self, files: Sequence[Offered], salt: str) -> tuple[str, Path]:
        """Name the object after its files and the contract, so that landing again after a crash writes the same."""
        identity = "|".join([self.contract.version, salt, *sorted(file.file_id for file in files)])
        name = hashlib.sha256(identity.encode()).hexdigest()[:24]
        folder = HomePaths(self.settings.home).lake / self.contract.source
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return name, folder / f".{name}.part"

    @contextmanager
    def _lexed(self, files: Sequence[Offered]) -> Iterator[None]:
        """Hold the temporary table that the careful readers fill."""
        fields = ", ".join(f"f{n} varchar" for n in range(len(self.contract.fields)))
        kinds = ", _kinds varchar" if any(file.shape.format == "jsonl" for file in files) else ""
        self.con.execute(
            f"create or replace temp table {LEXED} ({fields}, _file_id varchar, _line bigint, _broken varchar, "
            f"_raw varchar{kinds})"
        )
        try:
            yield
        finally:
            self.con.execute(f"drop table {LEXED}")

    def _lex(self, file: Offered) -> None:
        """Read a file carefully."""
        from shoplake.sources.lexers import lex

        drift = self._drift[file.file_id] = Counter()
        for rows in lex(file.shape, [f.name for f in self.contract.fields]):
            self._add_lexed(file, rows)
            drift.update(rows.drift)

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
        self.con.execute(f"insert into {LEXED} by name select * from chunk")

    def _write(self, landable: str, part: Path) -> Written:
        """Write the landable rows, personal fields protected, encrypted."""
        import duckdb

        key = add_parquet_key(self.con, self.keyring.current(lake_key(self.contract.source)))
        try:
            if any(f.personal for f in self.contract.fields):
                landable = protect(self.con, self.contract, self.vault, landable)
            return self._copy(landable, part, key)
        except (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.IOException) as error:
            said = str(error).replace(str(part), "")  # a path says nothing of the rows
            if "CSV" in said or "line" in said.lower():
                raise NotPlainError from error
            raise
        finally:
            forget_clear(self.con, self.contract)

    def _write_clear(self, part: Path) -> None:
        """Write the rows of the temporary table ``clear_rows``, personal fields protected, encrypted."""
        key = add_parquet_key(self.con, self.keyring.current(lake_key(self.contract.source)))
        is_personal = any(f.personal for f in self.contract.fields)
        rows = protected_rows(self.con, self.contract, self.vault) if is_personal else "select * from clear_rows"
        self._copy(rows, part, key)

    def _copy(self, rows: str, part: Path, key: str) -> Written:
        stamped = f"select * exclude (_flags), timestamp {text(str(self.now))} as _landed_at, _flags from ({rows})"
        options = f"{copy_options(key)}, return_stats"
        found = self.con.execute(f"copy ({stamped}) to {text(str(part))} ({options})").fetchall()
        return written_file(found, self.contract.event_time)

    def _collect_rejected(
        self, files: Sequence[Offered], outcomes: dict[str, FileOutcome], inputs: Sequence[_Rows], expected: int
    ) -> None:
        for rows in inputs:
            rows.relation.prepare()
            wanted: dict[str, list[tuple[int, tuple[str, ...]]]] = {}
            for file_id, line, reasons in self.con.execute(rows.sql.rejected).fetchall():
                wanted.setdefault(file_id, []).append((line, tuple(reasons)))
            for file in files:
                found = wanted.get(file.file_id, [])
                raw = self._raw_lines(file, sorted(line for line, _ in found), rows.relation) if found else {}
                outcomes[file.file_id].rejected += [(line, reasons, raw[line]) for line, reasons in found]
        for outcome in outcomes.values():
            outcome.rejected.sort()
        if sum(len(outcome.rejected) for outcome in outcomes.values()) != expected:
            raise NotPlainError

    def _raw_lines(self, file: Offered, lines: list[int], relation: Relation) -> dict[int, str]:
        if relation.sql == LEXED:
            query = f"select _line, _raw from {LEXED} where _file_id = ?"
            return dict(self.con.execute(query, [file.file_id]).fetchall())
        if file.shape.format == "parquet":
            return dict(self.parquet_lines(file))
        return _read_lines(file.shape, lines)

    def parquet_lines(self, file: Offered) -> list[tuple[int, str]]:
        """Give (row number, JSON of the row's texts) for each row of a Parquet file."""
        names = ", ".join(f"{quoted(f.name)} := f{n}" for n, f in enumerate(self.contract.fields))
        relation = parquet_relation(self.con, self.contract, [file])
        query = f"select _line, to_json(struct_pack({names}))::varchar from {relation.sql}"
        return self.con.execute(query).fetchall()

    def _written_rows(self) -> WrittenRows:
        return WrittenRows(self.con, self.contract, self.keyring)

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
