"""Writes rows that do not land into quarantine: the raw line encrypted, the reasons in the ledger."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from shoplake.files import durable_rename
from shoplake.home import HomePaths
from shoplake.keys.duckdb_session import add_parquet_key, copy_options, text
from shoplake.lake.objects import lake_key, lake_object_path
from shoplake.store.ledger import LakeObject, QuarantinedRow

if TYPE_CHECKING:
    from shoplake.lake.batch import Lander
    from shoplake.lake.outcomes import BatchOutcome, FileOutcome
    from shoplake.lake.relations import Offered
    from shoplake.sources.shape import Shape

CHUNK_ROWS = 50_000
HeldLine = tuple[str, int, str, str]
"""File id, line number, raw line, layout."""


def layout_of(shape: Shape) -> str:
    """Say, as JSON, how a line of the file is cut into fields."""
    if shape.format == "csv":
        return json.dumps({"format": "csv", "delimiter": shape.delimiter, "header": list(shape.header)})
    return json.dumps({"format": "jsonl"})


def quarantine_rejected(
    lander: Lander, files: Sequence[Offered], outcome: BatchOutcome
) -> tuple[LakeObject | None, list[QuarantinedRow]]:
    """Keep the rejected rows of a batch; give the object (none if all landed) and the rows' index."""
    lines = [
        (file.file_id, line, raw, layout_of(file.shape))
        for file in files
        for line, _, raw in outcome.files[file.file_id].rejected
    ]
    if not lines:
        return None, []
    held = _write(lander, lines)
    rows = [row for file in files for row in _index(lander, file, outcome.files[file.file_id], held)]
    return held, rows


def hold_file(lander: Lander, file: Offered, outcome: FileOutcome) -> tuple[LakeObject, list[QuarantinedRow]]:
    """Keep every line of a file that has too many bad rows; the index names the bad ones."""
    held = _write(lander, _every_line(lander, file))
    return held, list(_index(lander, file, outcome, held))


def _index(lander: Lander, file: Offered, outcome: FileOutcome, held: LakeObject) -> Iterator[QuarantinedRow]:
    for line, reasons, _ in outcome.rejected:
        yield QuarantinedRow(file.file_id, lander.contract.source, line, reasons, held.name)


def _every_line(lander: Lander, file: Offered) -> Iterator[HeldLine]:
    from shoplake.sources.lexers import lex

    layout = layout_of(file.shape)
    if file.shape.format == "parquet":
        yield from ((file.file_id, line, raw, layout) for line, raw in lander.parquet_lines(file))
        return
    for rows in lex(file.shape, [f.name for f in lander.contract.fields]):
        yield from ((file.file_id, line, raw, layout) for line, raw in zip(rows.lines, rows.raw, strict=True))


def _write(lander: Lander, lines: Iterable[HeldLine]) -> LakeObject:
    con, source = lander.con, lander.contract.source
    con.execute("create or replace temp table held (_file_id varchar, _line bigint, raw varchar, layout varchar)")
    digest, count = hashlib.sha256(), 0
    for chunk in _chunks(lines):
        _insert(lander, chunk)
        count += len(chunk)
        for file_id, line, _, _ in chunk:
            digest.update(f"{file_id}:{line};".encode())
    key = lander.keyring.current(lake_key(source))
    name = digest.hexdigest()[:24]
    place = lake_object_path(HomePaths(lander.settings.home), source, "quarantine", name, key.version)
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = place.with_suffix(".part")
    con.execute(f"copy held to {text(str(part))} ({copy_options(add_parquet_key(con, key))})")
    con.execute("drop table held")
    size = part.stat().st_size
    durable_rename(part, place)
    return LakeObject(name, source, "quarantine", key.version, count, size)


def _insert(lander: Lander, chunk: Sequence[HeldLine]) -> None:
    import pyarrow as pa

    columns = list(zip(*chunk, strict=True))
    rows = pa.table(  # noqa: F841 - read by name
        {
            "_file_id": pa.array(columns[0], pa.string()),
            "_line": pa.array(columns[1], pa.int64()),
            "raw": pa.array(columns[2], pa.string()),
            "layout": pa.array(columns[3], pa.string()),
        }
    )
    lander.con.execute("insert into held select * from rows")


def _chunks(lines: Iterable[HeldLine]) -> Iterator[list[HeldLine]]:
    chunk: list[HeldLine] = []
    for line in lines:
        chunk.append(line)
        if len(chunk) >= CHUNK_ROWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
