"""Looks at the rows of an object that was just written: counts them, and settles what a file says twice."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from shoplake.keys.duckdb_session import add_parquet_key, copy_options, parquet_options, quoted, text
from shoplake.lake.flags import CONFLICT, repair_codes, warning_codes
from shoplake.lake.lookback import Written, has_repeats
from shoplake.lake.objects import lake_key

if TYPE_CHECKING:
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from shoplake.contracts import Contract
    from shoplake.keys.keyring import Keyring
    from shoplake.lake.outcomes import FileOutcome


class WrittenRows:
    """Counts rows, flags and days of each file of an object."""

    def __init__(self, con: DuckDBPyConnection, contract: Contract, keyring: Keyring) -> None:
        """Look at objects of ``contract``'s source on ``con``."""
        self._con, self._contract, self._keyring = con, contract, keyring

    def look_back(self, outcomes: dict[str, FileOutcome], part: Path, written: Written | None) -> int:
        """Look at keys, flags and times of what was written; drop exact duplicates and flag conflicts if there are any.

        What the writer noted of a single file need not be read; None if the object is no longer as it was written.
        """
        source, key = self._readable(part)
        counts = self._noted(outcomes, written) if written else None
        if counts is None:
            counts = self._count_days(outcomes, source)
        if self._repeats_a_key(source, is_one_file=len(outcomes) == 1):
            self._resolve(source, part, key)
            written = None
            for outcome in outcomes.values():
                outcome.days.clear()
            before, counts = counts, self._count_days(outcomes, source)
            for file_id, rows in before.items():
                outcomes[file_id].rows_duplicate += rows - counts[file_id]
        return self._note_counts(outcomes, source, counts, has_flags=written is None or written.has_flags)

    def _noted(self, outcomes: dict[str, FileOutcome], written: Written) -> dict[str, int] | None:
        """Give the rows of the one file as its writer noted them, if they are all of one day; else None."""
        if len(outcomes) != 1 or written.first is None or written.last is None:
            return None
        if written.first.date() != written.last.date():
            return None
        ((file_id, outcome),) = outcomes.items()
        outcome.days[written.first.date()] = written.rows
        outcome.min_event_at, outcome.max_event_at = written.first, written.last
        return {file_id: written.rows}

    def count(self, outcomes: dict[str, FileOutcome], source: str) -> int:
        """Count rows, flags and days of each file in ``source``; give the rows of all."""
        return self._note_counts(outcomes, source, self._count_days(outcomes, source), has_flags=True)

    def _note_counts(
        self, outcomes: dict[str, FileOutcome], source: str, counts: dict[str, int], *, has_flags: bool
    ) -> int:
        for file_id, rows in counts.items():
            outcomes[file_id].rows_landed = rows
        if has_flags:
            self._count_flags(outcomes, source)
        return sum(counts.values())

    def _repeats_a_key(self, source: str, *, is_one_file: bool) -> bool:
        """Say whether any file holds two rows of one key; a false yes by equal hashes does no harm."""
        identity = ", ".join([*map(quoted, self._contract.key), *([] if is_one_file else ["_file_id"])])
        query = f"select hash({identity}) as digest from {source}"
        return has_repeats(self._con.execute(query).fetchnumpy()["digest"])

    def _resolve(self, source: str, part: Path, key: str) -> None:
        """Keep the first of exact duplicates within a file; flag rows that share a key with other content."""
        fields = ", ".join(self._compared())
        identity = ", ".join(quoted(name) for name in self._contract.key)
        digest = f"hash({identity}, _file_id)"
        suspects = f"{digest} in (select {digest} from {source} group by all having count(*) > 1)"
        is_shared = f"count(*) over (partition by _file_id, {identity}) > 1"
        flagged = f"(case when {is_shared} then _flags | {CONFLICT} else _flags end)::uinteger"
        other = part.with_suffix(".resolved")
        self._con.execute(
            f"copy (select * from {source} where not ({suspects}) union all by name "
            f"select * replace ({flagged} as _flags) from (select * from {source} where {suspects} "
            f"qualify row_number() over (partition by _file_id, {fields} order by _line) = 1)) "
            f"to {text(str(other))} ({copy_options(key)})"
        )
        other.replace(part)

    def drop_known(self, outcome: FileOutcome, part: Path, known: str) -> None:
        """Take out the rows that landed with the file before; they are duplicates."""
        source, key = self._readable(part)
        equal = " and ".join(f"n.{c} is not distinct from k.{c}" for c in self._compared())
        other = part.with_suffix(".resolved")
        before = self._con.execute(f"select count(*) from {source}").fetchone() or (0,)
        self._con.execute(
            f"copy (select * from {source} as n where not exists (select 1 from ({known}) as k where {equal})) "
            f"to {text(str(other))} ({copy_options(key)})"
        )
        other.replace(part)
        after = self._con.execute(f"select count(*) from {source}").fetchone() or (0,)
        outcome.rows_duplicate += before[0] - after[0]

    def _count_flags(self, outcomes: dict[str, FileOutcome], source: str) -> None:
        repairs, warnings = repair_codes(self._contract), warning_codes(self._contract)
        rows = self._con.execute(
            f"select _file_id, _flags, count(*) from {source} where _flags <> 0 group by all"
        ).fetchall()
        for file_id, flags, count in rows:
            outcome = outcomes[file_id]
            fixed = [code for code, bit in repairs.items() if flags & bit]
            outcome.repairs.update(dict.fromkeys(fixed, count))
            outcome.warnings.update({code: count for code, bit in warnings.items() if flags & bit})
            outcome.repaired_rows += count if fixed else 0

    def _count_days(self, outcomes: dict[str, FileOutcome], source: str) -> dict[str, int]:
        """Count the rows of each file, and of each of its days where rows have a time."""
        moment = quoted(self._contract.event_time) if self._contract.event_time else "null::timestamp"
        rows = self._con.execute(
            f"select _file_id, {moment}::date, count(*), min({moment}), max({moment}) from {source} group by 1, 2"
        ).fetchall()
        counts = Counter[str]()
        for file_id, day, count, first, last in rows:
            outcome = outcomes[file_id]
            counts[file_id] += count
            if day is not None:
                outcome.days[day] = count
                outcome.min_event_at = min(outcome.min_event_at or first, first)
                outcome.max_event_at = max(outcome.max_event_at or last, last)
        return counts

    def _readable(self, part: Path) -> tuple[str, str]:
        """Give what reads the object, and the name of the key that it is read by."""
        key = add_parquet_key(self._con, self._keyring.current(lake_key(self._contract.source)))
        return f"read_parquet({text(str(part))}, {parquet_options(key)})", key

    def _compared(self) -> list[str]:
        """Give the fields that tell rows apart: ciphertexts differ for equal texts."""
        return [quoted(field.name) for field in self._contract.fields if field.personal != "text"]
