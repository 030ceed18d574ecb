"""Lands files of a source: each is in the lake once or not at all, and every row of it is accounted for."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Literal

from shoplake.audit.recording import committing, showing
from shoplake.errors import InputError
from shoplake.home import HomePaths, home_lock, require_home
from shoplake.lake.batch import Lander
from shoplake.lake.disk import disk_failures_said
from shoplake.lake.entry import file_id, ledger_entry
from shoplake.lake.grouping import batches, of_one_shape, waves
from shoplake.lake.held import hold_file, quarantine_rejected
from shoplake.lake.locks import landing_lock
from shoplake.lake.objects import lake_key
from shoplake.lake.outcomes import BatchOutcome, FileOutcome
from shoplake.lake.relations import Offered
from shoplake.lake.restating import restated_by
from shoplake.lake.sweeping import sweep
from shoplake.sources.files import FoundFile, find_files
from shoplake.sources.shape import Refused, look
from shoplake.store.ledger import LakeObject, QuarantinedRow, Restated, SourceFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shoplake.contracts import Contract
    from shoplake.keys.keyring import Keyring
    from shoplake.privacy.vault import Vault
    from shoplake.settings import Settings
    from shoplake.store.ledger import Ledger

WAIT_SECONDS = 30
Status = Literal["landed", "unchanged", "restated", "refused", "failed"]


@dataclass(frozen=True)
class LandedFile:
    """What became of one offered file; ``as_dict`` is the stable JSON shape of `shoplake land`."""

    source: str
    file: str
    status: Status
    rows_read: int = 0
    rows_landed: int = 0
    rows_quarantined: int = 0
    rows_duplicate: int = 0
    rows_repaired: int = 0
    warnings: dict[str, int] = field(default_factory=dict)
    """Rows by warning, fields unknown to the contract included."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Rows by reason of their quarantine; for a refused file the one reason, with 0 rows."""

    def as_dict(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "source"}

    @classmethod
    def from_ledger(cls, file: SourceFile, status: Status) -> LandedFile:
        """Describe a file by its row in the ledger."""
        unknown = {f"unknown_field:{name}": rows for name, rows in file.drift.items()}
        return cls(
            source=file.source,
            file=file.logical_name,
            status=status,
            rows_read=file.rows_read,
            rows_landed=file.rows_landed,
            rows_quarantined=file.rows_quarantined,
            rows_duplicate=file.rows_duplicate,
            rows_repaired=file.rows_repaired,
            warnings={**file.warnings, **unknown},
            reasons={file.error: 0} if file.error and not file.reasons else dict(file.reasons),
        )


def _silent(_done: int, _total: int) -> None:
    """Report progress to nobody."""


def land(
    settings: Settings,
    source: str,
    paths: Sequence[str | Path],
    *,
    accept: bool = False,
    on_progress: Callable[[int, int], None] = _silent,
    clock: Callable[[], dt.datetime] | None = None,
) -> list[LandedFile]:
    """Land the files that ``paths`` name (files, folders, globs) as files of ``source``.

    Args:
        settings: the home to land in.
        source: a source that has a contract.
        paths: where the files are.
        accept: land a file's good rows even when more than the limit of its rows break a rule.
        on_progress: told (files done, files in all).
        clock: gives the time (UTC); tests bring their own.

    Returns:
        One result a file, in the natural order of their names. Files of one name land one after the other, as in calls
        of their own: in the order in which they were given, then in that of their paths.

    Raises:
        InputError: no such source, or a path names nothing.
        LockedError: another process keeps changing the home.
        HomeError: there is no such home, or its disk is full or fails.

    """
    require_home(settings)
    with showing(settings, "land", source=source, paths=[str(path) for path in paths], accept=accept or None) as entry:
        contract = _contract(settings, source)
        files = find_files(paths)
        now = (clock or _utc_now)().astimezone(dt.UTC).replace(tzinfo=None)
        with home_lock(settings, wait_seconds=WAIT_SECONDS), _opened(settings) as (keyring, ledger, vault):
            landing = _Landing(settings, contract, keyring, ledger, vault, accept, now)
            found = landing.land(files, on_progress)
        entry.rows = sum(file.rows_landed for file in found if file.status != "unchanged")
    return found


def land_inbox(settings: Settings, *, locked: bool = False) -> list[LandedFile]:
    """Land what lies in the landing folders; what is in the lake or in quarantine is then removed from them.

    Files whose name begins with a dot are still being written and are left alone; refused files stay.

    Args:
        settings: the home.
        locked: the caller holds the home's lock already.

    """
    from shoplake.contracts import load_contracts

    results: list[LandedFile] = []
    lock = nullcontext() if locked else home_lock(settings, wait_seconds=WAIT_SECONDS)
    now = _utc_now().replace(tzinfo=None)
    with lock, _opened(settings) as (keyring, ledger, vault):
        for source, contract in load_contracts(settings).items():
            inbox = HomePaths(settings.home).landing / source
            files = find_files([inbox]) if inbox.is_dir() else []
            landing = _Landing(settings, contract, keyring, ledger, vault, accept=False, now=now)
            found = landing.land(files, _silent)
            if not settings.keep_landed_files:
                _clear(files, found)
            results += found
    return results


def landed_words(source: str, files: Sequence[LandedFile]) -> dict[str, Any]:
    """Say for the audit log what a batch lands: each file that changes something, with its rows."""
    told = [file for file in files if file.status != "unchanged"]
    shown = [[file.file, file.status, file.rows_landed, file.rows_quarantined] for file in told]
    return {"source": source, "rows": sum(file.rows_landed for file in told), "files": shown}


def _clear(files: Sequence[FoundFile], results: Sequence[LandedFile]) -> None:
    for file, result in zip(files, results, strict=True):
        if result.status != "refused":
            file.path.unlink()


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _contract(settings: Settings, source: str) -> Contract:
    from shoplake.contracts import load_contracts

    contracts = load_contracts(settings)
    if source not in contracts:
        raise InputError(f"There is no source {source!r}.", hint=f"Sources with a contract: {', '.join(contracts)}.")
    return contracts[source]


@contextmanager
def _opened(settings: Settings) -> Iterator[tuple[Keyring, Ledger, Vault]]:
    from shoplake.keys.keyring import Keyring
    from shoplake.privacy.vault import Vault
    from shoplake.store.engine import open_store
    from shoplake.store.ledger import Ledger

    keyring = Keyring.open(settings)
    store = open_store(settings, keyring)
    try:
        store.settle()
        yield keyring, Ledger(store), Vault(store, keyring)
    finally:
        store.close()


@dataclass
class _Record:
    """What one transaction writes to the ledger, and what it tells the caller."""

    files: list[SourceFile] = field(default_factory=list)
    objects: list[LakeObject] = field(default_factory=list)
    quarantined: list[QuarantinedRow] = field(default_factory=list)
    restated: list[Restated] = field(default_factory=list)
    results: list[LandedFile] = field(default_factory=list)


@dataclass
class _Landing:
    """One call of `land` for one source."""

    settings: Settings
    contract: Contract
    keyring: Keyring
    ledger: Ledger
    vault: Vault
    accept: bool
    now: dt.datetime
    _idle: SimpleQueue[DuckDBPyConnection] = field(default_factory=SimpleQueue)

    @disk_failures_said()
    def land(self, files: Sequence[FoundFile], on_progress: Callable[[int, int], None]) -> list[LandedFile]:
        """Land files, batches side by side; each batch is one transaction of the ledger."""
        with landing_lock(self.settings, self.contract.source):
            sweep(self.settings, self.ledger, self.contract.source)
        self.keyring.current(lake_key(self.contract.source))
        results: list[LandedFile] = []
        for wave in waves(files):
            known = self.ledger.find_all(self.contract.source)
            parts = list(batches(wave, self.settings.threads))
            with self._connections(), ThreadPoolExecutor(min(self.settings.threads, len(parts)) or 1) as workers:
                for record in workers.map(lambda batch: self._land_batch(batch, known), parts):  # noqa: B023 - used up here
                    if record.files:
                        with committing(
                            self.settings, "land batch", **landed_words(self.contract.source, record.results)
                        ):
                            self.ledger.record_batch(
                                record.files,
                                objects=record.objects,
                                quarantined=record.quarantined,
                                restated=record.restated,
                            )
                    results += record.results
                    on_progress(len(results), len(files))
        return results

    @contextmanager
    def _connections(self) -> Iterator[None]:
        """Close what the workers have opened; each opens one connection and keeps it for all its batches."""
        try:
            yield
        finally:
            while not self._idle.empty():
                self._idle.get().close()

    def _connection(self) -> DuckDBPyConnection:
        from shoplake.keys.duckdb_session import connect

        try:
            return self._idle.get_nowait()
        except Empty:
            return connect(self.settings, threads=1, memory_limit=_share(self.settings))

    def _land_batch(self, batch: Sequence[FoundFile], known: dict[str, SourceFile]) -> _Record:
        """Look at files, land those that are new, and say what to record; runs in a worker thread."""
        record, offered = _Record(), list[Offered]()
        for file in batch:
            item = self._look(file, known.get(file.logical_name), record)
            if item is not None:
                offered.append(item)
        if offered:
            con = self._connection()
            lander = Lander(self.settings, self.contract, self.keyring, self.vault, con, self.now)
            for group in of_one_shape(offered):
                self._land_group(lander, group, known, record)
            self._idle.put(con)
        order = {file.logical_name: number for number, file in enumerate(batch)}
        record.results.sort(key=lambda result: order[result.file])
        return record

    def _look(self, file: FoundFile, known: SourceFile | None, record: _Record) -> Offered | None:
        """Look at a file; give it if it has to be landed, else note what became of it."""
        before = known.file_id if known and known.is_active else ""
        try:
            shape = look(file.path, self.contract)
        except Refused as refusal:
            self._refuse(file, before, str(refusal), record)
            return None
        if known and known.content_hash == shape.content_hash:
            if known.is_active:
                record.results.append(LandedFile.from_ledger(known, "unchanged"))
                return None
            if known.status == "failed" and known.contract_version == self.contract.version and not self.accept:
                record.results.append(LandedFile.from_ledger(known, "failed"))
                return None
        return Offered(self._file_id(file.logical_name, shape.content_hash, before), file.logical_name, shape)

    def _file_id(self, name: str, content_hash: str, before: str) -> str:
        """Name a version of a file; the one that it replaces counts, for a content may come back."""
        return file_id(self.contract.source, name, content_hash, before)

    def _refuse(self, file: FoundFile, before: str, why: str, record: _Record) -> None:
        content_hash = _hash(file.path)
        refused = SourceFile(
            file_id=self._file_id(file.logical_name, content_hash, before),
            source=self.contract.source,
            logical_name=file.logical_name,
            content_hash=content_hash,
            status="refused",
            contract_version=self.contract.version,
            bytes=file.path.stat().st_size,
            error=why,
        )
        record.files.append(refused)
        record.results.append(LandedFile.from_ledger(refused, "refused"))

    def _land_group(self, lander: Lander, group: list[Offered], known: dict[str, SourceFile], record: _Record) -> None:
        try:
            outcomes = lander.land(group)
        except Refused as refusal:  # a Parquet file shows what it is only when it is read
            (file,) = group
            found = FoundFile(file.shape.path, file.logical_name)
            before = known.get(file.logical_name)
            self._refuse(found, before.file_id if before and before.is_active else "", str(refusal), record)
            return
        by_id = {file.file_id: file for file in group}
        for outcome in outcomes:
            files = [by_id[file_id] for file_id in outcome.files]
            failed = [] if self.accept else [f for f in files if self._is_above_limit(outcome.files[f.file_id])]
            if failed:
                _discard(outcome)
                for file in failed:
                    self._hold(lander, file, outcome.files[file.file_id], record)
                rest = [file for file in files if file not in failed]
                if rest:
                    self._land_group(lander, rest, known, record)
            else:
                self._accept_outcome(lander, files, outcome, known, record)

    def _is_above_limit(self, outcome: FileOutcome) -> bool:
        return len(outcome.rejected) > self.settings.quarantine_limit_ratio * outcome.rows_read

    def _hold(self, lander: Lander, file: Offered, outcome: FileOutcome, record: _Record) -> None:
        """Keep a file with too many bad rows whole, in quarantine."""
        held, rows = hold_file(lander, file, outcome)
        record.objects.append(held)
        record.quarantined += rows
        entry = ledger_entry(self.contract, file, outcome, "failed", None)
        record.files.append(entry)
        record.results.append(LandedFile.from_ledger(entry, "failed"))

    def _accept_outcome(
        self,
        lander: Lander,
        files: list[Offered],
        outcome: BatchOutcome,
        known: dict[str, SourceFile],
        record: _Record,
    ) -> None:
        lander.keep(outcome)
        if outcome.object is not None:
            record.objects.append(outcome.object)
        held, rows = quarantine_rejected(lander, files, outcome)
        record.objects += [held] if held else []
        record.quarantined += rows
        for file in files:
            found = outcome.files[file.file_id]
            entry = ledger_entry(self.contract, file, found, "landed", outcome.object if found.rows_landed else None)
            before = known.get(file.logical_name)
            is_restated = before is not None and before.is_active
            if before is not None and is_restated:
                old = self.ledger.objects_of(before.file_id)
                record.restated.append(restated_by(lander, before, old, entry, outcome.object))
            record.files.append(entry)
            record.results.append(LandedFile.from_ledger(entry, "restated" if is_restated else "landed"))


def _share(settings: Settings) -> str:
    """Give each worker its part of the memory."""
    import re

    number, unit = re.fullmatch(r"\s*([\d.]+)\s*([A-Za-z]*)\s*", settings.memory_limit).groups()  # type: ignore[union-attr]
    return f"{float(number) / settings.threads:.3f}{unit}"


def _discard(outcome: BatchOutcome) -> None:
    if outcome.path is not None:
        outcome.path.unlink(missing_ok=True)


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
