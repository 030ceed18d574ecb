"""Releases as they were made: when, how long it took, what was rebuilt, what failed and why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from shoplake.audit.recording import showing
from shoplake.errors import HomeError, NotFoundError
from shoplake.keys.rereading import rereads
from shoplake.pipeline import releases as kept
from shoplake.store.attempts import Attempt, Attempts, FailedTest

if TYPE_CHECKING:
    from shoplake.pipeline.diff import ReleaseDiff
    from shoplake.pipeline.manifest import Manifest, Restatement
    from shoplake.settings import Settings
    from shoplake.store.engine import Store


@dataclass(frozen=True)
class Making:
    """One making of a release, published or failed."""

    at: dt.datetime
    """When it ended (UTC, naive)."""
    made_by: Literal["run", "stream"]
    outcome: Literal["published", "failed"]
    release_id: str | None
    is_served: bool = False
    is_kept: bool = False
    seconds: float | None = None
    """How long it took; None where that is not remembered."""
    tests_passed: int | None = None
    tests_warned: int = 0
    rebuilt: Mapping[str, int] | None = None
    """Partitions written, by table; None where the release is no longer kept, or nothing was published."""
    restatements: tuple[Restatement, ...] = ()
    times: int = 1
    """How often it failed so, one after the other."""
    first_at: dt.datetime | None = None
    code: str = ""
    message: str = ""
    """What the error said; may hold values of rows."""
    failed_tests: tuple[FailedTest, ...] = ()


@dataclass(frozen=True)
class ReleaseDetail:
    """One release, and how it differs from the one before."""

    making: Making
    watermarks: Mapping[str, dt.datetime]
    tables: int
    rows: int
    steps: tuple[dict[str, Any], ...]
    """``name``, ``seconds`` and ``rows`` of each; empty where they are not remembered."""
    diff: ReleaseDiff | None
    """None for the oldest that is kept."""


def makings(settings: Settings, store: Store, limit: int) -> list[Making]:
    """List the newest makings of releases, the newest first; kept releases that no record tells of are among them.

    Raises:
        HomeError: the home has not been made.

    """
    attempts, served = Attempts(store).newest(limit), kept.served_id(settings)
    newest = {manifest.release_id: manifest for manifest in _newest_manifests(settings, limit)}
    found = [_making(attempt, newest, served) for attempt in attempts]
    told = {making.release_id for making in found}
    # The newest of both kinds, of which the first so many are the newest of all.
    found += [_of(manifest, served) for release_id, manifest in newest.items() if release_id not in told]
    return sorted(found, key=lambda making: making.at, reverse=True)[:limit]


def detail(settings: Settings, release_id: str) -> ReleaseDetail:
    """Describe one kept release.

    Raises:
        NotFoundError: there is no such release.

    """
    with showing(settings, "releases show", release=release_id) as entry:
        found = _detail(settings, release_id)
        entry.rows = found.tables
    return found


@rereads
def _detail(settings: Settings, release_id: str) -> ReleaseDetail:
    from shoplake.keys.keyring import Keyring
    from shoplake.pipeline.diff import compare
    from shoplake.store.engine import open_store

    manifest = kept.load(settings, release_id)
    store = open_store(settings, Keyring.open(settings))
    try:
        attempt = Attempts(store).of_release(release_id)
    finally:
        store.close()
    served = kept.served_id(settings)
    making = _of(manifest, served) if attempt is None else _making(attempt, {release_id: manifest}, served)
    earlier = next((one for one in kept.list_ids(settings) if one < release_id), None)
    return ReleaseDetail(
        making=making,
        watermarks=dict(sorted(manifest.watermarks.items())),
        tables=len(manifest.tables),
        rows=sum(table.rows for table in manifest.tables.values()),
        steps=attempt.steps if attempt is not None else (),
        diff=compare(settings, earlier, release_id) if earlier is not None else None,
    )


def _newest_manifests(settings: Settings, limit: int) -> Sequence[Manifest]:
    found = []
    for release_id in kept.list_ids(settings)[:limit]:
        with suppress(NotFoundError, HomeError):  # pruned meanwhile, or damaged: what is left is told of
            found.append(kept.load(settings, release_id))
    return found


def _making(attempt: Attempt, newest: Mapping[str, Manifest], served: str | None) -> Making:
    ended = attempt.finished_at or attempt.started_at
    manifest = newest.get(attempt.release_id) if attempt.release_id else None
    return Making(
        at=ended,
        made_by="stream" if attempt.made_by == "stream" else "run",
        outcome=attempt.outcome,
        release_id=attempt.release_id,
        is_served=attempt.release_id is not None and attempt.release_id == served,
        is_kept=manifest is not None,
        seconds=(ended - attempt.started_at).total_seconds(),
        tests_passed=attempt.tests_passed,
        tests_warned=attempt.tests_warned,
        rebuilt=manifest.changed if manifest is not None else None,
        restatements=manifest.restatements if manifest is not None else (),
        times=attempt.times,
        first_at=attempt.first_at,
        code=attempt.code,
        message=attempt.message,
        failed_tests=attempt.failed_tests,
    )


def _of(manifest: Manifest, served: str | None) -> Making:
    """Describe a release by its manifest alone."""
    return Making(
        at=manifest.created_at.astimezone(dt.UTC).replace(tzinfo=None),
        made_by="stream" if manifest.release_id.endswith(kept.STREAM_MARK) else "run",
        outcome="published",
        release_id=manifest.release_id,
        is_served=manifest.release_id == served,
        is_kept=True,
        tests_passed=manifest.tests.passed,
        tests_warned=manifest.tests.warned,
        rebuilt=manifest.changed,
        restatements=manifest.restatements,
    )
