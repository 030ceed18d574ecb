"""Queries that people keep and share, and the last ones that they asked; their texts are sealed."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, func, insert, or_, select, update

from shoplake.errors import InputError, NotFoundError
from shoplake.store.sealed_texts import SealedTexts
from shoplake.store.tables import asked_query, saved_query
from shoplake.store.users import now

if TYPE_CHECKING:
    from shoplake.keys.keyring import Keyring
    from shoplake.store.engine import Store

MOST_SAVED = 500
"""Queries that one person can keep."""
MOST_ASKED = 200
"""Of each person the last so many questions are kept."""
MISSING = "There is no such saved query of yours."


@dataclass(frozen=True)
class SavedQuery:
    """A query that somebody keeps."""

    query_id: str
    user_name: str
    role: str
    """That the author had when it was saved: with whom it is shared, if it is."""
    is_shared: bool
    name: str = field(repr=False)
    sql: str = field(repr=False)
    changed_at: dt.datetime


@dataclass(frozen=True)
class AskedQuery:
    """A query that somebody has asked."""

    query_id: str
    user_name: str
    sql: str = field(repr=False)
    outcome: str
    """``ok``, ``failed`` or ``cancelled``."""
    rows: int | None
    ms: int
    asked_at: dt.datetime


class Queries:
    """All reading and writing of saved and asked queries."""

    def __init__(self, store: Store, keyring: Keyring) -> None:
        """Keep them in ``store``."""
        self._store, self._texts = store, SealedTexts(keyring)

    def save(self, query: SavedQuery) -> None:
        """Keep a new query.

        Raises:
            InputError: the person keeps too many already.

        """
        with self._store.writing() as con:
            own = select(func.count()).select_from(saved_query).where(saved_query.c.user_name == query.user_name)
            if (con.execute(own).scalar() or 0) >= MOST_SAVED:
                raise InputError(f"A person can keep {MOST_SAVED} queries.", hint="Delete one first.")
            key = {"query_id": query.query_id, "user_name": query.user_name}
            con.execute(insert(saved_query).values(key | self._values(query)))

    def change(self, query: SavedQuery) -> None:
        """Change a query of the person's own.

        Raises:
            NotFoundError: there is none of that id that is theirs.

        """
        here = (saved_query.c.query_id == query.query_id, saved_query.c.user_name == query.user_name)
        with self._store.writing() as con:
            done = con.execute(update(saved_query).where(*here).values(self._values(query)))
        _require(done.rowcount)

    def delete(self, query_id: str, user: str) -> None:
        """Delete a query of the person's own.

        Raises:
            NotFoundError: there is none of that id that is theirs.

        """
        here = (saved_query.c.query_id == query_id, saved_query.c.user_name == user)
        with self._store.writing() as con:
            done = con.execute(delete(saved_query).where(*here))
        _require(done.rowcount)

    def visible(self, user: str, role: str, query_id: str | None = None) -> list[SavedQuery]:
        """List the queries that a person may read, by name: their own, and those shared with their role."""
        is_shared = and_(saved_query.c.is_shared, saved_query.c.role == role)
        asked = select(saved_query).where(or_(saved_query.c.user_name == user, is_shared))
        if query_id is not None:
            asked = asked.where(saved_query.c.query_id == query_id)
        with self._store.reading() as con:
            rows: list[Any] = list(con.execute(asked))
        return sorted((self._saved(row) for row in rows), key=lambda query: (query.name.lower(), query.query_id))

    def remember(self, query: AskedQuery) -> None:
        """Keep a question that was asked, and forget the oldest ones of its person."""
        values = {name: getattr(query, name) for name in AskedQuery.__dataclass_fields__ if name != "sql"}
        values["sealed_text"] = self._texts.seal(query.query_id, query.sql)
        own = asked_query.c.user_name == query.user_name
        newest = select(asked_query.c.query_id).where(own).order_by(asked_query.c.asked_at.desc()).limit(MOST_ASKED)
        with self._store.writing() as con:
            con.execute(insert(asked_query).values(values))
            con.execute(delete(asked_query).where(own, asked_query.c.query_id.not_in(newest.scalar_subquery())))

    def asked(self, user: str, most: int = MOST_ASKED) -> list[AskedQuery]:
        """List what a person has asked, the last first."""
        asked = select(asked_query).where(asked_query.c.user_name == user)
        with self._store.reading() as con:
            rows: list[Any] = list(con.execute(asked.order_by(asked_query.c.asked_at.desc()).limit(most)))
        names = [name for name in AskedQuery.__dataclass_fields__ if name != "sql"]
        return [
            AskedQuery(
                **{name: getattr(row, name) for name in names}, sql=self._texts.open(row.query_id, row.sealed_text)
            )
            for row in rows
        ]

    def forget(self, user: str) -> int:
        """Forget what a person has asked; give the number of questions."""
        with self._store.writing() as con:
            return int(con.execute(delete(asked_query).where(asked_query.c.user_name == user)).rowcount)

    def reseal(self) -> int:
        """Seal every text under the newest key; give the number that were under an older one."""
        done = 0
        for table in (saved_query, asked_query):
            with self._store.writing() as con:
                for row in list(con.execute(select(table.c.query_id, table.c.sealed_text))):
                    if not self._texts.is_newest(row.sealed_text):
                        sealed = self._texts.seal(row.query_id, self._texts.open(row.query_id, row.sealed_text))
                        con.execute(update(table).where(table.c.query_id == row.query_id).values(sealed_text=sealed))
                        done += 1
        return done

    def _values(self, query: SavedQuery) -> dict[str, Any]:
        sealed = self._texts.seal(query.query_id, json.dumps([query.name, query.sql]))
        return {
            "role": query.role,
            "is_shared": query.is_shared,
            "sealed_text": sealed,
            "changed_at": query.changed_at,
        }

    def _saved(self, row: Any) -> SavedQuery:  # noqa: ANN401 - SQLAlchemy's type says nothing
        name, sql = json.loads(self._texts.open(row.query_id, row.sealed_text))
        return SavedQuery(row.query_id, row.user_name, row.role, row.is_shared, name, sql, row.changed_at)


def new_query(query_id: str, user: str, role: str, name: str, sql: str, *, is_shared: bool) -> SavedQuery:
    """Make what `Queries.save` and `Queries.change` keep, as of now."""
    return SavedQuery(query_id, user, role, is_shared, name, sql, now())


def _require(changed: int) -> None:
    if not changed:
        raise NotFoundError(MISSING, hint="Only its author can change or delete a query.")
