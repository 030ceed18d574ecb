"""The SQL that turns text into typed, checked rows, generated from a contract.

DuckDB's casts alone would change values silently (``'5.7'`` to 6, ``'0x1F'`` to 31), so a value is taken as it is
only when it is written plainly; the rest goes through a careful expression that accepts lossless repairs alone.

The input relation has one VARCHAR column a field (``f0``, ``f1``, …, in the contract's order), ``_file_id``, ``_line``,
``_broken`` (why the line could not be read, or null) and, for JSON, ``_kinds`` (one letter a field: what kind of JSON
value it was).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoplake.keys.duckdb_session import quoted, text
from shoplake.lake.flags import LATE_CODE, repair_codes, warning_codes

if TYPE_CHECKING:
    from shoplake.contracts import Contract, Field

SPACE = "e' \\t\\r\\n\u00a0'"
PLAIN_NUMBER = "-?(0|[1-9][0-9]*)(\\.[0-9]+)?"
ANY_NUMBER = "[+-]?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([eE][+-]?[0-9]{1,3})?"
WHOLE_NUMBER = "[+-]?[0-9]+(\\.0*)?"
ISO_TIME = "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?"
FIRST_MILLISECONDS = 100_000_000_000
"""As seconds this is the year 5138, as milliseconds 1973: so larger values are milliseconds."""
LAST_MILLISECONDS = 100_000_000_000_000
WRONG_TYPE = {
    "integer": "not_an_integer",
    "number": "not_a_number",
    "timestamp": "not_a_time",
    "string": "not_a_string",
}


@dataclass(frozen=True)
class CheckedSql:
    """The generated SQL of one contract."""

    landable: str
    """SELECT of the rows that land: typed fields, ``_file_id``, ``_line``, ``_flags``."""
    rejected: str
    """SELECT of ``_file_id``, ``_line``, ``_reasons`` of the rows that do not land."""


def checked_sql(
    contract: Contract,
    relation: str,
    *,
    now: dt.datetime,
    has_kinds: bool = False,
    is_natural: bool = False,
    late_before: dt.datetime | None = None,
) -> CheckedSql:
    """Generate the SQL that checks a ``relation`` of texts under ``contract``.

    Args:
        contract: the promises.
        relation: name of the input relation or a subquery in parentheses.
        now: the clock (UTC, naive): an event time more than a day ahead is an error.
        has_kinds: the input has the column ``_kinds``.
        is_natural: a field that is no string comes as a number, which was written plainly, and not as text.
        late_before: an event of a stream before this moment (UTC, naive) is marked as late; None marks none.

    """
    parts = [
        _Part(n, field, now, has_kinds=has_kinds, is_natural=is_natural) for n, field in enumerate(contract.fields)
    ]
    parsed = f"select *, {', '.join(p.parse for p in parts)} from {relation}"
    plain = f"select *, {', '.join(p.plain for p in parts)} from ({parsed})"
    typed = f"select *, {', '.join(p.value for p in parts)} from ({plain})"
    errors = [(condition, code) for p in parts for condition, code in p.errors()] + _rule_errors(contract)
    told = [("_broken is not null", "_broken")]
    told += [(f"_broken is null and ({condition})", text(code)) for condition, code in errors]
    repairs, warnings = repair_codes(contract), warning_codes(contract)
    bits = [(p.repaired, repairs[f"{p.field.name}:repaired"]) for p in parts]
    bits += [(p.unknown, warnings[f"{p.field.name}:unknown_value"]) for p in parts if p.is_lenient_list]
    if late_before is not None and LATE_CODE in warnings:
        is_late = f"{quoted(contract.event_time or '')} < timestamp {text(late_before.isoformat(sep=' '))}"
        bits.append((is_late, warnings[LATE_CODE]))
    failures = ["_broken is not null", *(condition for p in parts for condition in p.failures())]
    failures += [condition for condition, _ in _rule_errors(contract)]
    return _checked(contract, typed, failures, told, bits)


def typed_sql(contract: Contract, relation: str, *, now: dt.datetime) -> CheckedSql:
    """Generate the SQL that checks a ``relation`` of plain values: typed fields by name, ``_file_id``, ``_line``.

    Their lines are known to be plain (`shoplake.sources.plain`), so only ranges and rules can fail.
    """
    parts = [_Part(n, field, now, has_kinds=False, is_natural=False) for n, field in enumerate(contract.fields)]
    errors = [error for p in parts for error in p.range_errors()] + _rule_errors(contract)
    told = [(condition, text(code)) for condition, code in errors]
    return _checked(contract, f"from {relation}", [condition for condition, _ in errors], told, [])


def _rule_errors(contract: Contract) -> list[tuple[str, str]]:
    return [(f"({rule.broken})", rule.name) for rule in contract.rules if rule.severity == "error"]


def _checked(
    contract: Contract,
    typed: str,
    failures: list[str],
    reasons: list[tuple[str, str]],
    bits: list[tuple[str, int]],
) -> CheckedSql:
    """Put the queries together.

    Args:
        contract: the promises.
        typed: SELECT of the typed rows.
        failures: the cheapest conditions of which one is true for a row that does not land.
        reasons: (condition, SQL of the reason) in the order in which they are told.
        bits: (condition, bit) of the flags that no warning rule gives.

    """
    warnings = warning_codes(contract)
    bits = bits + [(f"({rule.broken})", warnings[rule.name]) for rule in contract.rules if rule.severity == "warning"]
    flags = " | ".join(f"(case when {condition} then {bit} else 0 end)" for condition, bit in bits) or "0"
    fields = ", ".join([*(quoted(field.name) for field in contract.fields), "_file_id, _line"])
    flags_column = f"({flags})::uinteger as _flags"
    # An unknown outcome is no failure; OR is true if any part is, so that one look at the whole is enough.
    bad = f"coalesce({' or '.join(failures) or 'false'}, false)"
    cases = ", ".join(f"case when {condition} then {reason} end" for condition, reason in reasons)
    reason_list = f"list_filter([{cases or 'null'}], lambda r: r is not null) as _reasons"
    return CheckedSql(
        landable=f"select {fields}, {flags_column} from ({typed}) where not {bad}",
        rejected=f"select _file_id, _line, {reason_list} from ({typed}) where {bad}",
    )


class _Part:
    """The SQL of one field, in three layers: parse the text, see whether it is plain, give the value."""

    def __init__(self, number: int, field: Field, now: dt.datetime, *, has_kinds: bool, is_natural: bool) -> None:
        self.field, self.now, self.is_natural = field, now, is_natural and field.type != "string"
        self.text, self.cast, self.is_plain = f"f{number}", f"c{number}", f"p{number}"
        self.kind = f"_kinds[{number + 1}]" if has_kinds else None
        self.column = quoted(field.name)

    @property
    def is_lenient_list(self) -> bool:
        return self.field.allowed is not None and self.field.allowed_severity == "warning"

    @property
    def parse(self) -> str:
        if self.is_natural:
            return f"{self.text} as {self.cast}"
        kind = {"integer": "bigint", "number": "double", "timestamp": "double"}.get(self.field.type)
        return f"try_cast({self.text} as {kind}) as {self.cast}" if kind else f"null as {self.cast}"

    @property
    def plain(self) -> str:
        """Whether the text is written just as its value is: nothing to repair, nothing to doubt."""
        t, natural = self.text, "true"
        if self.is_natural:
            limit = f" and abs({t}) < {FIRST_MILLISECONDS}" if self.field.type == "timestamp" else ""
            return f"coalesce({t} is not null{limit}, false) as {self.is_plain}"
        if self.kind and self.field.type != "string":
            natural = f"coalesce({self.kind} = 'n', true)"
        elif self.kind:
            natural = f"coalesce({self.kind} = 's', true)"
        if self.field.type == "integer":
            condition = f"{self.cast}::varchar = {t}"
        elif self.field.type == "string":
            condition = f"ascii({t}) > 32 and ascii({t}) <> 160 and not ends_with({t}, ' ')"
            condition += f" and not ends_with({t}, e'\\t') and not ends_with({t}, e'\u00a0')"
            if self.field.allowed:
                condition = f"{t} in ({', '.join(text(v) for v in self.field.allowed)})"
        else:
            condition = f"regexp_full_match({t}, {text(PLAIN_NUMBER)})"
            if self.field.type == "timestamp":
                condition += f" and abs({self.cast}) < {FIRST_MILLISECONDS}"
        return f"coalesce({natural} and {condition}, false) as {self.is_plain}"

    @property
    def value(self) -> str:
        plain = {
            "integer": self.cast,
            "number": self.cast,
            "string": self.text,
            "timestamp": f"make_timestamp(round({self.cast} * 1000000)::bigint)",
        }[self.field.type]
        return f"case when {self.is_plain} then {plain} else {self._careful()} end as {self.column}"

    def _careful(self) -> str:
        if self.is_natural:
            # What is not plain is null, or a time in milliseconds.
            milliseconds = f"abs({self.cast}) < {LAST_MILLISECONDS}"
            moment = f"case when {milliseconds} then make_timestamp(round({self.cast} * 1000)::bigint) end"
            return moment if self.field.type == "timestamp" else "null"
        trimmed = f"trim({self.text}, {SPACE})"
        careful = getattr(self, f"_careful_{self.field.type}")(trimmed)
        if self.kind:
            # true, false, objects and arrays are no form of text or number; a number for a string is lossless.
            return f"(case when {self.kind} in ('b', 'o') then null else {careful} end)"
        return str(careful)

    def _careful_integer(self, trimmed: str) -> str:
        whole = f"regexp_full_match({trimmed}, {text(WHOLE_NUMBER)})"
        return f"(case when {whole} then try_cast(regexp_replace({trimmed}, '\\.0*$', '') as bigint) end)"

    def _careful_number(self, trimmed: str) -> str:
        number = f"case when regexp_full_match({trimmed}, {text(ANY_NUMBER)}) then try_cast({trimmed} as double) end"
        return f"(case when isfinite({number}) then {number} end)"

    def _careful_timestamp(self, trimmed: str) -> str:
        epoch = self._careful_number(trimmed)
        iso = f"regexp_full_match({trimmed}, {text(ISO_TIME)})"
        return (
            f"(case when abs({epoch}) < {FIRST_MILLISECONDS} then make_timestamp(round({epoch} * 1000000)::bigint) "
            f"when abs({epoch}) < {LAST_MILLISECONDS} then make_timestamp(round({epoch} * 1000)::bigint) "
            f"when {iso} then try_cast({trimmed} as timestamptz) at time zone 'UTC' end)"
        )

    def _careful_string(self, trimmed: str) -> str:
        if not self.field.allowed:
            return f"nullif({trimmed}, '')"
        canonical = " ".join(f"when {text(v.lower())} then {text(v)}" for v in self.field.allowed)
        unknown = f"nullif({trimmed}, '')" if self.is_lenient_list else "null"
        return f"(case lower({trimmed}) {canonical} else {unknown} end)"

    @property
    def given(self) -> str:
        """Whether there is any value: blank text is none. CASE looks at the few rows that are not plain alone."""
        if self.is_natural:
            return f"({self.text} is not null)"
        return f"(case when {self.is_plain} then true else coalesce(trim({self.text}, {SPACE}) <> '', false) end)"

    @property
    def repaired(self) -> str:
        if self.is_lenient_list:
            return f"(not {self.is_plain} and {self.column} is not null and {self.column} <> {self.text})"
        return f"(not {self.is_plain} and {self.column} is not null)"

    @property
    def unknown(self) -> str:
        """Whether a lenient list got a value that it does not have."""
        allowed = ", ".join(text(v) for v in self.field.allowed or ())
        return f"(not {self.is_plain} and {self.column} not in ({allowed}))"

    def failures(self) -> list[str]:
        """Give the cheapest conditions that are true for a row which breaks any rule of severity error on the field."""
        if self.field.required:
            return [f"{self.column} is null", *(condition for condition, _ in self.range_errors())]
        is_nothing = f"{self.column} is null and {self.given}"
        is_lost = f"(case when {self.is_plain} or {self.text} is null then false else {is_nothing} end)"
        return [is_lost, *(condition for condition, _ in self.range_errors())]

    def errors(self) -> list[tuple[str, str]]:
        """Give (condition, reason code) for every rule of severity error on the field."""
        name = self.field.name
        code = WRONG_TYPE[self.field.type]
        if self.field.allowed and self.field.allowed_severity == "error":
            code = "unknown_value"
        found = [(f"{self.column} is null and {self.given}", f"{name}:{code}")]
        if self.field.required:
            found.append((f"not {self.given}", f"{name}:missing_required"))
        return found + self.range_errors()

    def range_errors(self) -> list[tuple[str, str]]:
        """Give (condition, reason code) of a value out of its range."""
        name, column, found = self.field.name, self.column, list[tuple[str, str]]()
        if self.field.minimum is not None:
            found.append((f"{column} < {self.field.minimum}", f"{name}:below_minimum"))
        if self.field.maximum is not None:
            found.append((f"{column} > {self.field.maximum}", f"{name}:above_maximum"))
        if self.field.type == "timestamp":
            limit = self.now + dt.timedelta(days=1)
            found.append((f"{column} < timestamp '2000-01-01'", f"{name}:time_before_2000"))
            found.append((f"{column} > timestamp '{limit.isoformat(sep=' ')}'", f"{name}:time_in_future"))
        return found
