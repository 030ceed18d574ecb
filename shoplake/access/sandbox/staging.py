"""Lays out the files of a session: a folder of links to partitions, whose names mean nothing.

A process becomes shut in such a folder (its root, its only readable files). It runs as a user who owns nothing there;
the files become read-only for everybody, their owner included, and the folder takes no new ones. They are encrypted,
and the home above them lets nobody else in.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shoplake.access.sandbox.frames import Plan
from shoplake.home import HomePaths
from shoplake.pipeline.releases import partition_files

if TYPE_CHECKING:
    from shoplake.pipeline.manifest import Manifest
    from shoplake.settings import Settings

FOLDER_MODE, FILE_MODE = 0o511, 0o444


@dataclass(frozen=True)
class Staged:
    """A folder of links, and the plan that opens them."""

    folder: Path
    plan: Plan

    def remove(self) -> None:
        """Remove the links; the partitions stay."""
        _remove(self.folder)


class Staging:
    """The folders of one service; those of services that are gone are removed when it starts."""

    def __init__(self, settings: Settings) -> None:
        """Make the service's own folder."""
        self._settings = settings
        above = HomePaths(settings.home).sandbox
        above.mkdir(mode=0o700, exist_ok=True)
        self._folder = above / secrets.token_hex(8)
        self._folder.mkdir(mode=0o700)
        self._handle = _locked(self._folder)
        for other in above.iterdir():
            if other != self._folder and (handle := _locked(other)) is not None:
                _remove(other)
                os.close(handle)

    def lay_out(self, manifest: Manifest | None, uid: int | None, gid: int | None) -> Staged:
        """Link the files of a narrowed release, and plan the session that opens them; None lays out nothing.

        Raises:
            FileNotFoundError: a partition went away; read the manifest anew.
            KeyAccessError: a key is missing or wrong.

        """
        folder = self._folder / secrets.token_hex(8)
        folder.mkdir(mode=0o700)
        try:
            plan = _planned(self._settings, manifest, folder, uid, gid)
        except BaseException:
            _remove(folder)
            raise
        folder.chmod(FOLDER_MODE)
        return Staged(folder, plan)

    def close(self) -> None:
        """Remove the service's folder."""
        _remove(self._folder)
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _planned(settings: Settings, manifest: Manifest | None, folder: Path, uid: int | None, gid: int | None) -> Plan:
    from shoplake.keys.duckdb_session import quoted, scan_sql
    from shoplake.keys.keyring import Keyring

    databases, tables = (manifest.databases(), manifest.tables) if manifest else ([], {})
    statements = [f"create schema if not exists {quoted(database)}" for database in databases]
    keys: dict[tuple[str, int], str] = {}
    files: list[str] = []
    for name, table in tables.items():
        by_key: dict[str, list[Path | str]] = {}
        for version, paths in partition_files(settings, table.partitions).items():
            key = keys.setdefault((table.key_name, version), f"k{len(keys)}")
            names = [str(len(files) + number) for number in range(len(paths))]
            for path, link in zip(paths, names, strict=True):
                _link(path, folder / link)
            by_key.setdefault(key, []).extend(names)
            files += names
        view = f"{quoted(table.database)}.{quoted(name)}"
        statements.append(f"create view {view} as {scan_sql(by_key, table.columns)}")
    ring = Keyring.open(settings) if keys else None
    opened = {name: ring.get(*key).secret for key, name in keys.items()} if ring else {}
    return Plan(opened, tuple(statements), tuple(files), settings.sandbox_memory_bytes, uid, gid)


def _link(path: Path, name: Path) -> None:
    """Give a partition another name, or copy it where links cannot be; nobody may write it any more."""
    try:
        os.link(path, name)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(path, name)
    if name.stat().st_mode & 0o777 != FILE_MODE:
        name.chmod(FILE_MODE)


def _locked(folder: Path) -> int | None:
    """Hold a service's folder; None where its service does."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def _remove(folder: Path) -> None:
    for inner in [folder, *folder.iterdir()] if folder.is_dir() else ():
        if inner.is_dir():
            with suppress(FileNotFoundError):
                inner.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
