"""Releases on disk: immutable manifests, shared partitions, and one pointer that moves atomically."""

from __future__ import annotations

import datetime as dt
import secrets
from bisect import bisect
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from shoplake.audit.recording import changing, committing
from shoplake.errors import HomeError, NotFoundError
from shoplake.home import HomePaths, require_home
from shoplake.pipeline.manifest import Manifest, Partition, Table, decode, encode

if TYPE_CHECKING:
    from shoplake.settings import Settings


STREAM_MARK = "-stream"
"""Ends the id of a release that a round of a stream made."""
RECENT = dt.timedelta(hours=1)
"""For so long every release of a stream is kept; of those before it the last of each hour."""


def new_release_id(now: dt.datetime, *, made_by: str = "run") -> str:
    """Make an id that sorts by time and is unique: ``20260105T081500Z-3f2a91``, and ``…-stream`` for a stream's."""
    return f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}{STREAM_MARK if made_by == 'stream' else ''}"


def next_release_id(settings: Settings, now: dt.datetime, *, made_by: str = "run") -> str:
    """Make an id that sorts after all kept ones, whatever the clock says: files belong to releases in a row."""
    newest = max(list_ids(settings), default=None)
    if newest is not None:
        now = max(now, _made_at(newest) + dt.timedelta(seconds=1))
    return new_release_id(now, made_by=made_by)


def current(settings: Settings) -> Manifest | None:
    """Give the release that is served, or None before the first one.

    Raises:
        HomeError: the home has not been made.

    """
    require_home(settings)
    pointer, seen = HomePaths(settings.home).pointer, ""
    while pointer.exists():
        release_id = pointer.read_text(encoding="ascii").strip()
        try:
            return load(settings, release_id)
        except NotFoundError:
            if release_id == seen:
                raise
            seen = release_id  # A run may have moved the pointer, and pruned the release, since it was read.
    return None


def load(settings: Settings, release_id: str) -> Manifest:
    """Read the manifest of a release.

    Raises:
        NotFoundError: there is no release of that id.
        HomeError: its manifest is damaged, or the home has not been made.

    """
    import msgspec

    require_home(settings)
    file = _manifest_path(settings, release_id)
    try:
        state = file.stat()
        return _read(file, (state.st_ino, state.st_mtime_ns, state.st_size))
    except FileNotFoundError as error:
        raise _not_kept(release_id) from error
    except msgspec.DecodeError as error:
        raise HomeError(
            f"The manifest of release {release_id} is damaged: {error}",
            hint="Remove the file and run `shoplake run` to build a new release from the lake.",
        ) from error


def served_id(settings: Settings) -> str | None:
    """Give the id of the release that is served, or None before the first one."""
    try:
        return HomePaths(settings.home).pointer.read_text(encoding="ascii").strip() or None
    except FileNotFoundError:
        return None


def version(settings: Settings, release_id: str) -> tuple[int, int, int]:
    """Tell the states of a release's manifest apart: it changes when its files do, as by a rotation of keys.

    Raises:
        NotFoundError: there is no release of that id.

    """
    try:
        state = _manifest_path(settings, release_id).stat()
    except FileNotFoundError as error:
        raise _not_kept(release_id) from error
    return state.st_ino, state.st_mtime_ns, state.st_size


@lru_cache(maxsize=2)
def _read(file: Path, _state: tuple[int, int, int]) -> Manifest:
    """Read a manifest; one that is as it was is not decoded again."""
    return decode(file.read_bytes())


def list_ids(settings: Settings) -> list[str]:
    """List the ids of all kept releases, newest first.

    Raises:
        HomeError: the home has not been made.

    """
    require_home(settings)
    return sorted((p.stem for p in HomePaths(settings.home).manifests.glob("*.json")), reverse=True)


def kept(settings: Settings) -> Iterator[Manifest]:
    """Give the manifests of all kept releases, newest first, without those that are pruned meanwhile.

    Raises:
        HomeError: the home has not been made, or a manifest is damaged.

    """
    for release_id in list_ids(settings):
        with suppress(NotFoundError):
            yield load(settings, release_id)


def required(settings: Settings, release_id: str | None) -> Manifest:
    """Give the named release, or the current one.

    Raises:
        NotFoundError: no such release, or nothing has been released yet.

    """
    if release_id:
        return load(settings, release_id)
    manifest = current(settings)
    if manifest is None:
        raise NotFoundError("Nothing has been released yet.", hint="Run `shoplake run` first.")
    return manifest


def save(settings: Settings, manifest: Manifest) -> None:
    """Write the manifest, then move the pointer to it; a crash between leaves the old release served."""
    from shoplake.files import durable_write

    durable_write(_manifest_path(settings, manifest.release_id), encode(manifest))
    durable_write(HomePaths(settings.home).pointer, manifest.release_id.encode("ascii"))


def replace_manifest(settings: Settings, manifest: Manifest) -> None:
    """Write a kept release's manifest anew (same rows, other files), as re-encryption does."""
    from shoplake.files import durable_write

    durable_write(_manifest_path(settings, manifest.release_id), encode(manifest))


def files_in(manifests: Iterable[Manifest]) -> set[str]:
    """Give the partition files that any of ``manifests`` uses."""
    return {
        file
        for manifest in manifests
        for part in manifest.parts()
        for partition in part.partitions
        for file in partition.files
    }


def sweep(settings: Settings) -> int:
    """Remove partition files that no kept release uses; give their number."""
    root = HomePaths(settings.home).partitions
    used = files_in(load(settings, release_id) for release_id in list_ids(settings))
    removed = 0
    for file in root.rglob("*.parquet"):
        if str(file.relative_to(root)) not in used:
            file.unlink()
            removed += 1
    return removed


def prune(settings: Settings, *, keep: int) -> tuple[list[str], int]:
    """Forget all but the newest ``keep`` releases (the current one always stays) and sweep their files.

    Returns:
        The ids of the releases removed, and the number of partition files removed.

    """
    served = current(settings)
    doomed = [r for r in list_ids(settings)[max(keep, 1) :] if served is None or r != served.release_id]
    with changing(settings, "releases prune", keep=keep, releases=doomed):
        for release_id in doomed:
            _manifest_path(settings, release_id).unlink()
        return doomed, sweep(settings)


def expire(settings: Settings, *, days: int, now: dt.datetime) -> list[str]:
    """Forget the releases that newer ones replaced more than ``days`` days ago (0: none), and thin those of streams.

    Reads only the manifests that go, their kept neighbours and the current one: publishing never takes up a file that
    only an earlier release holds, so what neither neighbour of a release holds, no other release has.

    Returns:
        The ids of those that went.

    """
    served, ids = current(settings), list_ids(settings)
    if served is None:
        return []
    limit = now - dt.timedelta(days=days)
    gone = {old for new, old in pairwise(ids) if days and _made_at(new) < limit}
    gone |= _thinned(ids, now)
    gone.discard(served.release_id)
    if not gone:
        return []
    kept_ids = [release_id for release_id in ids if release_id not in gone]
    free = _files_only_in(settings, gone, kept_ids) - files_in([served])
    with committing(settings, "expire releases", releases=sorted(gone)):
        for release_id in sorted(gone):
            _manifest_path(settings, release_id).unlink()
    for file in free:
        (HomePaths(settings.home).partitions / file).unlink(missing_ok=True)
    return sorted(gone, reverse=True)


def _thinned(ids: list[str], now: dt.datetime) -> set[str]:
    """Pick, of the releases that a stream made before the last hour, all but the last of each hour."""
    hours, gone = set[str](), set[str]()
    for release_id in ids:  # newest first
        if release_id.endswith(STREAM_MARK) and _made_at(release_id) < now - RECENT:
            hour = release_id[: len("20260105T08")]
            if hour in hours:
                gone.add(release_id)
            hours.add(hour)
    return gone


def _files_only_in(settings: Settings, gone: Collection[str], kept_ids: Sequence[str]) -> set[str]:
    """Give the files of the releases that go which no kept one uses; ids are given newest first."""
    held: dict[str, set[str]] = {}
    free, oldest_first = set[str](), kept_ids[::-1]
    for release_id in gone:
        place = bisect(oldest_first, release_id)
        for neighbour in oldest_first[max(place - 1, 0) : place + 1]:
            if neighbour not in held:
                held[neighbour] = files_in([load(settings, neighbour)])
        used = [held[neighbour] for neighbour in oldest_first[max(place - 1, 0) : place + 1]]
        free |= files_in([load(settings, release_id)]).difference(*used)
    return free


def _made_at(release_id: str) -> dt.datetime:
    return dt.datetime.strptime(release_id.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)


def partition_files(settings: Settings, partitions: Iterable[Partition]) -> dict[int, list[Path]]:
    """Group the absolute paths of partition files by the key version that they are encrypted under."""
    root = HomePaths(settings.home).partitions
    grouped: dict[int, list[Path]] = {}
    for partition in partitions:
        grouped.setdefault(partition.key_version, []).extend(root / file for file in partition.files)
    return grouped


def changed_tables(before: Mapping[str, Table], after: Mapping[str, Table]) -> dict[str, list[str]]:
    """Name, for each table, the partition labels whose content differs between two releases."""
    changes: dict[str, list[str]] = {}
    for name in sorted(before.keys() | after.keys()):
        old = {p.label: p.content for p in before[name].partitions} if name in before else {}
        new = {p.label: p.content for p in after[name].partitions} if name in after else {}
        labels = sorted(label for label in old.keys() | new.keys() if old.get(label) != new.get(label))
        if labels:
            changes[name] = labels
    return changes


def _not_kept(release_id: str) -> NotFoundError:
    return NotFoundError(
        f"There is no release {release_id!r}.", hint="`shoplake releases list` shows those that are kept."
    )


def _manifest_path(settings: Settings, release_id: str) -> Path:
    if not release_id or set(release_id.removesuffix(STREAM_MARK)) - set("0123456789TZabcdef-"):
        raise NotFoundError(
            f"{release_id!r} is not a release id.", hint="`shoplake releases list` shows those that are kept."
        )
    return HomePaths(settings.home).manifests / f"{release_id}.json"
