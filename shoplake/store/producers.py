"""Who may send events: producers, each with a key that is shown once and kept only as a hash."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from shoplake.errors import InputError, NotFoundError
from shoplake.store.tables import producer

if TYPE_CHECKING:
    from shoplake.store.engine import Store

PREFIX = "slk"
READS_LIVE = "live:read"
"""Stands among a producer's sources where its key may read the live window; no source has such a name."""
ID_BYTES, SECRET_BYTES = 6, 24


@dataclass(frozen=True)
class Producer:
    """Somebody who sends events."""

    name: str
    key_id: str
    key_hash: str
    sources: tuple[str, ...]
    rate_limit: int | None
    """Most events a second; None for no limit."""
    created_at: dt.datetime
    revoked_at: dt.datetime | None = None

    def fits(self, key: str) -> bool:
        """Say whether this is the producer's key, in a time that tells nothing about it."""
        return hmac.compare_digest(self.key_hash, _hash(key))


def key_id_of(key: str) -> str:
    """Give the part of a key by which its producer is found; it opens nothing."""
    parts = key.split("_", 2)
    return parts[1] if len(parts) == 3 and parts[0] == PREFIX else ""  # noqa: PLR2004 - prefix, id, secret


class Producers:
    """All reading and writing of the producers' table."""

    def __init__(self, store: Store) -> None:
        """Keep producers in ``store``."""
        self._store = store

    def add(self, name: str, sources: Sequence[str], *, rate_limit: int | None = None) -> str:
        """Make a producer; give its key, which cannot be had again.

        Raises:
            InputError: the name is taken.

        """
        key_id = secrets.token_hex(ID_BYTES)
        # 192 random bits: nobody can try them out, so that one round of SHA-256 hides them.
        key = f"{PREFIX}_{key_id}_{secrets.token_urlsafe(SECRET_BYTES)}"
        values = {
            "name": name,
            "key_id": key_id,
            "key_hash": _hash(key),
            "sources": sorted(set(sources)),
            "rate_limit": rate_limit,
            "created_at": _now(),
        }
        try:
            with self._store.writing() as con:
                con.execute(insert(producer).values(values))
        except IntegrityError:
            raise InputError(
                f"There is a producer {name!r} already.", hint="Choose another name; a revoked name stays taken."
            ) from None
        return key

    def list(self) -> list[Producer]:
        """List producers by name, revoked ones too."""
        with self._store.reading() as con:
            rows: list[Any] = list(con.execute(select(producer).order_by(producer.c.name)))
        return [Producer(**dict(row._mapping) | {"sources": tuple(row.sources)}) for row in rows]

    def revoke(self, name: str) -> None:
        """End a producer's key; a second call changes nothing.

        Raises:
            NotFoundError: there is no such producer.

        """
        here = producer.c.name == name
        with self._store.writing() as con:
            known = con.execute(select(producer.c.name).where(here)).scalar()
            con.execute(update(producer).where(here, producer.c.revoked_at.is_(None)).values(revoked_at=_now()))
        if known is None:
            raise NotFoundError(f"There is no producer {name!r}.", hint="See `shoplake producers list`.")


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)
