"""Gives a home new keys: at once for what is written next, then file by file for what is there.

Each step leaves the home whole, and each is skipped when it has been done: a rotation that was cut off goes on where
it stopped when it is called again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from shoplake.audit.recording import changing, log_of, showing
from shoplake.audit.sealing import MARKS_KEY, RECORDS_KEY, SIGNING_KEY
from shoplake.errors import LockedError
from shoplake.files import durable_rename
from shoplake.home import TURN_SECONDS, HomePaths, home_lock, require_home
from shoplake.keys.keyring import Keyring
from shoplake.keys.rereading import rereads
from shoplake.keys.tls import reseal_authority
from shoplake.lake.locks import landing_lock, spool_lock
from shoplake.pipeline import releases

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shoplake.pipeline.manifest import Manifest, Partition, Table, View
    from shoplake.settings import Settings
    from shoplake.store.ledger import LakeObject, Ledger

Part = TypeVar("Part", "Table", "View")
SPOOL_KEY = "spool"
LOOKUP_KEY = "vault_lookup"
"""Stays: persons are found by hashes under it, and it opens nothing."""


def rotate(settings: Settings) -> dict[str, Any]:
    """Wrap all keys anew and encrypt every file under new data keys; readers go on meanwhile.

    The spool keeps its data key while a collector has it open.

    Returns:
        Counts: ``keys``, ``lake_objects``, ``partitions``, ``persons``.

    Raises:
        LockedError: another process was changing the home all the time.
        KeyAccessError: the present keys do not open the home.

    """
    from shoplake.store.engine import rekey_store
    from shoplake.store.spool import rekey_spool

    turn = home_lock(settings, wait_seconds=TURN_SECONDS)
    with changing(settings, "keys rotate") as entry, turn, ExitStack() as locks:
        keyring = Keyring.open(settings)
        spool = locks.enter_context(_spool_alone(settings))
        kept = {LOOKUP_KEY, RECORDS_KEY, MARKS_KEY, SIGNING_KEY} | (set() if spool else {SPOOL_KEY})
        names = [name for name in keyring.names() if name not in kept]
        with _no_stream_landing(settings):
            keyring.rotate_wrapping()
            keyring.new_versions([name for name in names if len(keyring.versions(name)) == 1])
            # All versions of the log's key stay: what is written in it is never written anew.
            keyring.new_versions([RECORDS_KEY])
            log_of(settings).renew_signing_key()
            reseal_authority(settings, keyring)
            rekey_store(settings, keyring)
            if spool:
                rekey_spool(settings, keyring)
        persons, objects = _store_and_lake(settings, keyring)
        partitions = _partitions(settings, keyring)
        for name in names:
            for version in keyring.versions(name)[:-1]:
                keyring.retire(name, version)
        counts = {"keys": len(names), "lake_objects": objects, "partitions": partitions, "persons": persons}
        entry.detail = dict(counts)
    return counts


@contextmanager
def _spool_alone(settings: Settings) -> Iterator[bool]:
    """Hold the spool, if no collector has it open; say whether it is held."""
    with ExitStack() as lock:
        try:
            lock.enter_context(spool_lock(settings, is_shared=False))
        except LockedError:
            yield False
        else:
            yield True


@contextmanager
def _no_stream_landing(settings: Settings) -> Iterator[None]:
    """Keep batches of streams out: each is recorded under the keys that it was written with, or begins with the new."""
    from shoplake.contracts import load_contracts

    with ExitStack() as locks:
        for source, contract in sorted(load_contracts(settings).items()):
            if contract.kind == "stream":
                locks.enter_context(landing_lock(settings, source))
        yield


def key_status(settings: Settings) -> list[dict[str, Any]]:
    """List each data key with its versions and the number of files under each."""
    with showing(settings, "keys status") as entry:
        found = _key_status(settings)
        entry.rows = len(found)
    return found


@rereads
def _key_status(settings: Settings) -> list[dict[str, Any]]:
    from shoplake.lake.objects import lake_key
    from shoplake.store.engine import open_store
    from shoplake.store.ledger import Ledger

    require_home(settings)
    keyring = Keyring.open(settings)
    files: Counter[tuple[str, int]] = Counter()
    store = open_store(settings, keyring)
    files.update((lake_key(o.source), o.key_version) for o in Ledger(store).objects())
    store.close()
    seen = {
        (part.key_name, partition.key_version, file)
        for manifest in releases.kept(settings)
        for part in manifest.parts()
        for partition in part.partitions
        for file in partition.files
    }
    files.update((key, version) for key, version, _ in seen)
    return [
        {
            "key": name,
            "version": version,
            "is_current": version == max(keyring.versions(name)),
            "files": files[name, version],
        }
        for name in keyring.names()
        for version in keyring.versions(name)
    ]


def _store_and_lake(settings: Settings, keyring: Keyring) -> tuple[int, int]:
    from shoplake.keys.duckdb_session import connect
    from shoplake.lake.objects import lake_key
    from shoplake.lake.sweeping import sweep
    from shoplake.privacy.vault import reseal
    from shoplake.store.engine import open_store
    from shoplake.store.ledger import Ledger
    from shoplake.store.queries import Queries
    from shoplake.store.second_factor import SecondFactor
    from shoplake.store.users import Users

    store = open_store(settings, keyring)
    con = connect(settings)
    try:
        persons, ledger = reseal(store, keyring), Ledger(store)
        SecondFactor(Users(store), keyring).reseal()
        Queries(store, keyring).reseal()
        old = [o for o in ledger.objects() if o.key_version != keyring.current(lake_key(o.source)).version]
        for lake_object in old:
            _encrypt_object(settings, keyring, con, ledger, lake_object)
        # Old objects go all at once and last: who began to read them then needs to begin again at most once.
        for source in {o.source for o in ledger.objects()}:
            with landing_lock(settings, source):
                sweep(settings, ledger, source)
    finally:
        con.close()
        store.close()
    return persons, len(old)


def _encrypt_object(
    settings: Settings, keyring: Keyring, con: DuckDBPyConnection, ledger: Ledger, lake_object: LakeObject
) -> None:
    from shoplake.lake.objects import lake_key, lake_object_path

    key, paths = lake_key(lake_object.source), HomePaths(settings.home)
    place = (paths, lake_object.source, lake_object.kind, lake_object.name)
    version = keyring.current(key).version
    old, new = lake_object_path(*place, lake_object.key_version), lake_object_path(*place, version)
    _encrypt_file(con, keyring, key, (lake_object.key_version, version), old, new)
    ledger.set_key_version(lake_object.name, version, new.stat().st_size)


def _encrypt_file(
    con: DuckDBPyConnection, keyring: Keyring, key: str, versions: tuple[int, int], old: Path, new: Path
) -> None:
    """Write a file's rows, in their order, under another version of its key."""
    from shoplake.keys.duckdb_session import add_parquet_key, copy_options, parquet_options, text

    before, after = (add_parquet_key(con, keyring.get(key, version)) for version in versions)
    part = new.with_suffix(".part")
    con.execute("set preserve_insertion_order = true")
    con.execute(
        f"copy (select * from read_parquet({text(str(old))}, {parquet_options(before)}, hive_partitioning = false)) "
        f"to {text(str(part))} ({copy_options(after)})"
    )
    durable_rename(part, new)


def _partitions(settings: Settings, keyring: Keyring) -> int:
    """Encrypt the partitions of every kept release; one that releases share is done once."""
    from shoplake.keys.duckdb_session import connect

    con, done = connect(settings), dict[str, str]()
    try:
        for release_id in releases.list_ids(settings):
            manifest = releases.load(settings, release_id)
            changed = _encrypt_release(settings, keyring, con, manifest, done)
            if changed is not None:
                releases.replace_manifest(settings, changed)
    finally:
        con.close()
    releases.sweep(settings)
    return len(done)


def _encrypt_release(
    settings: Settings, keyring: Keyring, con: DuckDBPyConnection, manifest: Manifest, done: dict[str, str]
) -> Manifest | None:
    root = HomePaths(settings.home).partitions

    def renewed(part: Part) -> Part:
        partitions = tuple(_encrypt_partition(root, keyring, con, part.key_name, p, done) for p in part.partitions)
        return msgspec.structs.replace(part, partitions=partitions)

    tables = {name: renewed(table) for name, table in manifest.tables.items()}
    views = {name: renewed(view) for name, view in manifest.views.items()}
    if (tables, views) == (manifest.tables, manifest.views):
        return None
    return msgspec.structs.replace(manifest, tables=tables, views=views)


def _encrypt_partition(
    root: Path, keyring: Keyring, con: DuckDBPyConnection, key: str, partition: Partition, done: dict[str, str]
) -> Partition:
    version = keyring.current(key).version
    if partition.key_version == version:
        return partition
    moved = _renamed(partition, version)
    for old, new in zip(partition.files, moved.files, strict=True):
        if old not in done:
            _encrypt_file(con, keyring, key, (partition.key_version, version), root / old, root / new)
            done[old] = new
    return moved


def _renamed(partition: Partition, version: int) -> Partition:
    files = tuple(file.replace(f"-k{partition.key_version}", f"-k{version}") for file in partition.files)
    return msgspec.structs.replace(partition, files=files, key_version=version)
