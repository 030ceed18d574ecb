"""Values as JSON can hold them, from Arrow: exact, whatever the type.

| Arrow | value |
|---|---|
| integers, decimals without decimals | number; text beyond ±(2^53-1), which readers with doubles would round |
| decimals | text, ``"12.30"`` |
| floats | number; ``"NaN"``, ``"Infinity"``, ``"-Infinity"`` |
| timestamps | ``"2026-03-01T10:00:00Z"``, in UTC; ``"infinity"`` |
| dates, times | ISO 8601 |
| intervals | ISO 8601, ``"P1M2DT3.5S"`` |
| binary | hexadecimal text |
| lists, structs, maps | array, object, array of [key, value] |
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice, pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

SAFE = 2**53 - 1
ENDLESS_MICROSECONDS, ENDLESS_DAYS = 2**63 - 1, 2**31 - 1
NANOSECONDS = 1_000_000_000
WRITTEN_PLAIN = 6
"""Decimals of a number that Arrow never writes with an exponent."""


def values(array: Any) -> list[Any]:  # noqa: ANN401 - pyarrow has no types
    """Give an array's values as JSON holds them."""
    kind = array.type
    for fits, convert in _CONVERSIONS:
        if fits(kind):
            return convert(array)
    return list(array.to_pylist())


def _integers(array: Any) -> list[Any]:  # noqa: ANN401
    found = array.to_pylist()
    return found if _all_safe(array) else [n if n is None or -SAFE <= n <= SAFE else str(n) for n in found]


def _all_safe(array: Any) -> bool:  # noqa: ANN401
    least, most = pc.min_max(array).as_py().values()
    return least is None or (least >= -SAFE and most <= SAFE)


def _decimals(array: Any) -> list[Any]:  # noqa: ANN401
    if array.type.scale > 0:
        return list(decimal_text(array).to_pylist())
    whole = [None if n is None else int(n) for n in array.to_pylist()]
    return [n if n is None or -SAFE <= n <= SAFE else str(n) for n in whole]


def decimal_text(array: Any) -> Any:  # noqa: ANN401
    """Give decimals as text with all their digits and no exponent."""
    if array.type.scale <= WRITTEN_PLAIN:
        return array.cast(pa.string())
    return pa.array([None if n is None else f"{n:f}" for n in array.to_pylist()], pa.string())


def _floats(array: Any) -> list[Any]:  # noqa: ANN401
    found = array.to_pylist()
    if pc.all(pc.is_finite(array)).as_py() is not False:
        return list(found)
    names = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
    return [n if n is None else names.get(str(n), n) for n in found]


def _timestamps(array: Any) -> list[Any]:  # noqa: ANN401
    return list(timestamp_text(array).to_pylist())


def timestamp_text(array: Any) -> Any:  # noqa: ANN401
    """Give timestamps as ISO 8601 in UTC; DuckDB's infinities by name."""
    numbers = array.cast(pa.int64())
    plain = numbers.cast(pa.timestamp(array.type.unit))
    text = pc.replace_substring_regex(plain.cast(pa.string()), r"\.0+$", "")
    text = pc.binary_join_element_wise(pc.replace_substring(text, " ", "T", max_replacements=1), "Z", "")
    return _with_infinities(numbers, text, ENDLESS_MICROSECONDS)


def _dates(array: Any) -> list[Any]:  # noqa: ANN401
    return list(date_text(array).to_pylist())


def date_text(array: Any) -> Any:  # noqa: ANN401
    """Give dates as ISO 8601; DuckDB's infinities by name."""
    days = array.cast(pa.date32()).cast(pa.int32())
    return _with_infinities(days, array.cast(pa.string()), ENDLESS_DAYS)


def _with_infinities(numbers: Any, text: Any, endless: int) -> Any:  # noqa: ANN401
    for number, name in ((endless, "infinity"), (-endless, "-infinity")):
        is_it = pc.equal(numbers, pa.scalar(number, numbers.type))
        if pc.any(is_it).as_py():
            text = pc.if_else(is_it, name, text)
    return text


def _times(array: Any) -> list[Any]:  # noqa: ANN401
    return list(time_text(array).to_pylist())


def time_text(array: Any) -> Any:  # noqa: ANN401
    """Give times of the day as ISO 8601."""
    return pc.replace_substring_regex(array.cast(pa.string()), r"\.0+$", "")


def _binary(array: Any) -> list[Any]:  # noqa: ANN401
    return [None if value is None else value.hex() for value in array.to_pylist()]


def _intervals(array: Any) -> list[Any]:  # noqa: ANN401
    return [None if value is None else _interval(*value) for value in array.to_pylist()]


def _interval(months: int, days: int, nanoseconds: int) -> str:
    parts = [f"{months}M" if months else "", f"{days}D" if days else ""]
    whole, rest = divmod(abs(nanoseconds), NANOSECONDS)
    sign = "-" if nanoseconds < 0 else ""
    seconds = f"{sign}{whole}" + (f".{rest:09d}".rstrip("0") if rest else "")
    timed = f"T{seconds}S" if nanoseconds or not (months or days) else ""
    return f"P{''.join(parts)}{timed}"


def _lists(array: Any) -> list[Any]:  # noqa: ANN401
    inner = iter(values(array.flatten()))
    lengths = pc.list_value_length(array).to_pylist()
    return [None if n is None else list(islice(inner, n)) for n in lengths]


def _structs(array: Any) -> list[Any]:  # noqa: ANN401
    names = [array.type.field(n).name for n in range(array.type.num_fields)]
    # Not `flatten`, which ends the whole process where a field is a union.
    rows = zip(*(values(array.field(n)) for n in range(len(names))), strict=True)
    is_there = array.is_valid().to_pylist()
    if len(set(names)) < len(names) or "" in names:  # row(1, 2) has no names
        return [list(row) if there else None for row, there in zip(rows, is_there, strict=True)]
    return [dict(zip(names, row, strict=True)) if there else None for row, there in zip(rows, is_there, strict=True)]


def _maps(array: Any) -> list[Any]:  # noqa: ANN401
    compact = array.take(pa.array(range(len(array)), pa.int64()))  # a slice's keys and items are those of the whole
    pairs = zip(values(compact.keys), values(compact.items), strict=True)
    lengths = [after - before for before, after in pairwise(compact.offsets.to_pylist())]
    is_there = compact.is_valid().to_pylist()
    return [[list(p) for p in islice(pairs, n)] if there else None for n, there in zip(lengths, is_there, strict=True)]


def _unions(array: Any) -> list[Any]:  # noqa: ANN401
    compact = array.take(pa.array(range(len(array)), pa.int64()))
    members = [values(compact.field(n)) for n in range(compact.type.num_fields)]
    place = {code: n for n, code in enumerate(compact.type.type_codes)}
    return [members[place[code]][row] for row, code in enumerate(compact.type_codes.to_pylist())]


def _is_binary(kind: Any) -> bool:  # noqa: ANN401
    return any(
        fits(kind)
        for fits in (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, _is_binary_view)
    )


def _is_binary_view(kind: Any) -> bool:  # noqa: ANN401
    return bool(kind == pa.binary_view())


def _is_list(kind: Any) -> bool:  # noqa: ANN401
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


_CONVERSIONS: tuple[tuple[Callable[[Any], bool], Callable[[Any], list[Any]]], ...] = (
    (pa.types.is_integer, _integers),
    (pa.types.is_decimal, _decimals),
    (pa.types.is_floating, _floats),
    (pa.types.is_timestamp, _timestamps),
    (pa.types.is_date, _dates),
    (pa.types.is_time, _times),
    (lambda kind: isinstance(kind, pa.BaseExtensionType), lambda array: values(array.storage)),
    (pa.types.is_dictionary, lambda array: values(array.dictionary_decode())),
    (_is_binary, _binary),
    (pa.types.is_map, _maps),
    (_is_list, _lists),
    (pa.types.is_struct, _structs),
    (pa.types.is_union, _unions),
    (lambda kind: kind == pa.month_day_nano_interval(), _intervals),
)
