"""What became of the last publication into a database, kept beside the releases."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

import msgspec

from shoplake.files import durable_write
from shoplake.home import HomePaths

if TYPE_CHECKING:
    from pathlib import Path

    from shoplake.errors import ShoplakeError
    from shoplake.settings import Settings


class PublicationOutcome(msgspec.Struct, frozen=True):
    """The last publication; of one that failed also which release the database still shows."""

    target: str
    status: Literal["ok", "failed"]
    at: dt.datetime
    release: str | None
    """Release that was last published."""
    published_at: dt.datetime | None
    rows: int = 0
    error: str = ""

    @classmethod
    def done(cls, target: str, release: str, rows: int) -> PublicationOutcome:
        """Describe a publication that is in the database."""
        now = dt.datetime.now(dt.UTC)
        return cls(target, "ok", now, release, now, rows)

    @classmethod
    def failed(cls, target: str, error: ShoplakeError, last: PublicationOutcome | None) -> PublicationOutcome:
        """Describe one that is not; ``last`` says what the database shows, if it was the same."""
        known = last if last is not None and last.target == target else None
        now = dt.datetime.now(dt.UTC)
        release, at = (known.release, known.published_at) if known else (None, None)
        return cls(target, "failed", now, release, at, error=error.message)


def note_publication(settings: Settings, outcome: PublicationOutcome) -> None:
    """Keep what became of a publication."""
    durable_write(_path(settings), msgspec.json.format(msgspec.json.encode(outcome), indent=1))


def last_publication(settings: Settings) -> PublicationOutcome | None:
    """Give what became of the last publication; None before the first."""
    with suppress(FileNotFoundError, msgspec.DecodeError):
        return msgspec.json.decode(_path(settings).read_bytes(), type=PublicationOutcome)
    return None


def _path(settings: Settings) -> Path:
    return HomePaths(settings.home).manifests.parent / "publication.json"
