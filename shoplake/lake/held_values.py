"""What may be seen of a quarantined line: its fields, with nothing that could be about a person.

The line never landed, so nothing in it is pseudonymous. A field that the contract calls personal is never shown, nor
is one that it does not know. In a source with personal fields a value that broke a rule may be one that slipped into
the wrong place; of it, as of any that does not look like its field, only length and kind of characters are shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from shoplake.lake.quarantine_room import Line, cut

if TYPE_CHECKING:
    from shoplake.contracts import Contract
    from shoplake.contracts.reader import Field

NUMBER = re.compile(r"\s*[+-]?\d{1,19}(\.\d{1,9})?\s*")
Kind = Literal["digits", "letters", "mixed"]


@dataclass(frozen=True)
class HeldValue:
    """One field of a quarantined line."""

    field: str
    text: str | None = None
    """The value; None where it is hidden, or there is none."""
    is_given: bool = True
    is_personal: bool = False
    is_named: bool = False
    """A reason names the field."""
    length: int = 0
    """Characters of a value that is hidden because it may be about a person."""
    kind: Kind = "mixed"


@dataclass(frozen=True)
class HeldLine:
    """What may be seen of a line."""

    fields: tuple[HeldValue, ...]
    """Empty where the line cannot be cut into fields."""
    text: str | None = None
    """The line as it came, where it cannot be cut and its source has no personal fields."""
    length: int = 0


def visible(contract: Contract, line: Line, reasons: Iterable[str]) -> HeldLine:
    """Give what may be seen of a line.

    Args:
        contract: of its source.
        line: as it came.
        reasons: why it is in quarantine.

    """
    (rows,) = cut([line], [field.name for field in contract.fields])
    has_persons = any(field.personal for field in contract.fields)
    if not rows.lines or rows.broken[0]:
        return HeldLine((), None if has_persons else line.raw, len(line.raw))
    named = {reason.partition(":")[0] for reason in reasons}
    is_labelled = line.layout["format"] != "csv"
    found = [
        _value(field, column[0], field.name in named, has_persons, is_labelled)
        for field, column in zip(contract.fields, rows.columns, strict=True)
    ]
    return HeldLine(tuple(found), None, len(line.raw))


def _value(field: Field, value: str | None, is_named: bool, has_persons: bool, is_labelled: bool) -> HeldValue:
    if value is None:
        return HeldValue(field.name, is_given=False, is_personal=bool(field.personal), is_named=is_named)
    if field.personal:
        return HeldValue(field.name, is_personal=True, is_named=is_named)
    if not has_persons or (not is_named and _fits(field, value, is_labelled)):
        return HeldValue(field.name, value, is_named=is_named)
    return HeldValue(field.name, is_named=is_named, length=len(value), kind=_kind(value))


def _fits(field: Field, value: str, is_labelled: bool) -> bool:
    """Say whether a value looks like its field; free text does where the line itself names the field."""
    if field.type != "string":
        return NUMBER.fullmatch(value) is not None
    if field.allowed:
        return value.strip().lower() in {one.lower() for one in field.allowed}
    return is_labelled


def _kind(value: str) -> Kind:
    if value.strip().isdigit():
        return "digits"
    return "letters" if value.strip().isalpha() else "mixed"
