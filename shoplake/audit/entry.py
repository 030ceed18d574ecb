"""One record of the log, and who acts."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    import pyarrow as pa

PSEUDONYM = re.compile(rb"\bc_[0-9a-f]{16}\b")
UNBOUND = re.compile(PSEUDONYM.pattern.replace(rb"\b", b""))
MOST_PERSONS = 1_000
"""A record names so many persons that were shown; above it holds their number only, and may hold any of them."""
CHUNK = 10_000


@dataclass(frozen=True)
class Actor:
    """Who acts: a user of the operating system (``os:<name>``), or one who signed in, with a role."""

    name: str
    role: str | None = None


_ACTOR: ContextVar[Actor | None] = ContextVar("actor", default=None)


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """Let the records of this block be ``actor``'s."""
    token = _ACTOR.set(actor)
    try:
        yield
    finally:
        _ACTOR.reset(token)


def current_actor() -> Actor:
    """Give who acts; by default the user whom the operating system runs this process for."""
    return _ACTOR.get() or Actor(_os_user())


@cache
def _os_user() -> str:
    import pwd

    number = os.getuid()
    try:
        return f"os:{pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"os:{number}"


class Entry(msgspec.Struct, omit_defaults=True):
    """What the log says of one act; fill it in while the act goes on."""

    action: str
    """The command's name, or of a step: ``land batch``, ``build``, ``publish``."""
    actor: str
    at: dt.datetime
    outcome: Literal["ok", "failed", "begun"] = "ok"
    role: str | None = None
    act: str = ""
    """The same for the records of one act that has several."""
    process: int = 0
    source: str | None = None
    tables: list[str] = []
    release: str | None = None
    rows: int | None = None
    result_bytes: int | None = None
    """Size of the rows, as JSON, or as Arrow where they are many and stay so."""
    ms: float | None = None
    persons: list[str] = []
    """Pseudonyms that were asked for or shown."""
    persons_count: int | None = None
    """How many were shown, when they are too many to name."""
    keys: list[str] = []
    """Data keys that were opened for it, ``<name>/<version>``."""
    detail: dict[str, Any] = {}
    error: str | None = None

    def show(self, rows: Sequence[Any]) -> None:
        """Note rows that go out: their number, their size, the persons in them."""
        self.add(measured(rows))

    def add(self, shown: Shown) -> None:
        """Note rows that go out, measured before."""
        self.rows = (self.rows or 0) + shown.rows
        self.result_bytes = (self.result_bytes or 0) + shown.result_bytes
        self._name(set(self.persons) | shown.persons)

    def show_table(self, table: pa.Table) -> None:
        """Note the rows of an Arrow table that goes out, as `show` does; whole, never row by row."""
        persons = set(self.persons)
        for column in table.columns:
            if _may_name_persons(column.type):
                for chunk in column.chunks:
                    persons.update(found.decode() for found in _pseudonyms_in(chunk))
        self.rows = (self.rows or 0) + table.num_rows
        self.result_bytes = (self.result_bytes or 0) + table.nbytes
        self._name(persons)

    def encoded(self) -> bytes:
        """Give its bytes; persons named in the details count as asked for."""
        if self.detail or self.persons:
            named = {found.decode() for found in PSEUDONYM.findall(ENCODER.encode(self.detail))}
            self._name(named | set(self.persons))
        return ENCODER.encode(self)

    def _name(self, persons: set[str]) -> None:
        if len(persons) > MOST_PERSONS:
            self.persons_count = max(len(persons), self.persons_count or 0)
        self.persons = sorted(persons)[:MOST_PERSONS]


def _may_name_persons(kind: pa.DataType) -> bool:
    """Say whether there is text in a type."""
    return any(word in str(kind) for word in ("string", "binary"))


def _pseudonyms_in(values: pa.Array) -> set[bytes]:
    """Give what looks like a pseudonym anywhere in the memory of an array, where its values lie one after the other."""
    found = {match for buffer in values.buffers() if buffer for match in set(UNBOUND.findall(buffer))}
    return found | (_pseudonyms_in(values.dictionary) if hasattr(values, "dictionary") else set())


@dataclass(frozen=True)
class Shown:
    """What a record says of rows that go out."""

    rows: int
    result_bytes: int
    persons: frozenset[str]


def measured(rows: Sequence[Any]) -> Shown:
    """Measure rows: their number, their size as JSON, the persons in them."""
    persons, size = set[str](), 0
    for start in range(0, len(rows), CHUNK):
        text = ENCODER.encode(rows[start : start + CHUNK])
        size += len(text)
        persons.update(found.decode() for found in set(PSEUDONYM.findall(text)))
    return Shown(len(rows), size, frozenset(persons))


FIELDS = frozenset(Entry.__struct_fields__)
NOTHING: tuple[object, ...] = (None, (), [], {})
"""What is not worth a word."""
ENCODER = msgspec.json.Encoder(enc_hook=str)
DECODER = msgspec.json.Decoder(Entry)


def new_entry(action: str, **known: object) -> Entry:
    """Begin a record of what the current actor does now."""
    actor = current_actor()
    fields, more = dict[str, Any](), dict[str, Any]()
    for name, value in known.items():
        if value not in NOTHING:
            (fields if name in FIELDS else more)[name] = value
    return Entry(
        action=action,
        actor=actor.name,
        role=actor.role,
        at=dt.datetime.now(dt.UTC),
        act=os.urandom(6).hex(),
        process=os.getpid(),
        **{"detail": more} | fields,
    )
