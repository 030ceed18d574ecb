"""The store is encrypted, opens only under its key, and commits whole transactions or nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from shoplake.errors import HomeError, KeyAccessError
from shoplake.keys.keyring import Keyring
from shoplake.settings import Settings
from shoplake.store.engine import KEY_NAME, Store, open_store, rekey_store

in_a_file = pytest.mark.parametrize("engine", ["sqlcipher"], indirect=True)
"""What only a store in a file can show."""
COUNT = text("select count(*) from change")
ADD = text("insert into change (at) values ('2026-01-05 12:00:00')")
DIE = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import text
from shoplake.keys.keyring import Keyring
from shoplake.settings import load_settings
from shoplake.store.engine import open_store
settings = load_settings(Path(sys.argv[1]))
with open_store(settings, Keyring.open(settings)).writing() as con:
    con.execute(text("insert into change (at) values ('2026-01-05 12:00:00')"))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def database(settings: Settings) -> Path:
    return settings.home / "store" / "operations.db"


def count(store: Store) -> int:
    with store.reading() as con:
        return int(con.execute(COUNT).scalar_one())


@in_a_file
def test_the_file_on_disk_is_no_readable_database(store: Store, settings: Settings) -> None:
    import sqlite3

    with store.writing() as con:
        con.execute(text("insert into pipeline_run (started_at, status, detail) values ('2026-01-05', 'findme', '{}')"))
    files = list(database(settings).parent.iterdir())
    assert database(settings) in files
    for file in files:
        data = file.read_bytes()
        assert b"SQLite format 3" not in data, file
        assert b"findme" not in data, file
    plain = sqlite3.connect(database(settings))
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        plain.execute("select * from pipeline_run")
    plain.close()


@in_a_file
def test_a_store_does_not_open_under_the_keys_of_another_home(
    settings: Settings, make_home: Callable[..., Settings]
) -> None:
    before = database(settings).read_bytes()
    with pytest.raises(KeyAccessError, match="does not open under its key"):
        open_store(settings, Keyring.open(make_home("other")))
    assert database(settings).read_bytes() == before


@in_a_file
def test_a_damaged_store_fails_closed(settings: Settings) -> None:
    database(settings).write_bytes(os.urandom(8192))
    with pytest.raises(KeyAccessError) as caught:
        open_store(settings, Keyring.open(settings))
    assert Keyring.open(settings).current(KEY_NAME).secret.hex() not in str(caught.value)


@in_a_file
def test_a_missing_store_is_not_made_by_opening_it(settings: Settings) -> None:
    database(settings).unlink()
    with pytest.raises(HomeError) as caught:
        open_store(settings, Keyring.open(settings))
    assert "shoplake init" in caught.value.hint
    assert not database(settings).exists()


@in_a_file
def test_a_store_that_cannot_be_reached_is_no_key_error(make_home: Callable[..., Settings]) -> None:
    settings = make_home().model_copy(update={"home": Path("/dev/null/home")})
    ring = Keyring.open(make_home())
    with pytest.raises(HomeError, match="cannot be opened"):
        open_store(settings, ring, migrate=True)


def test_a_write_is_seen_by_others_when_its_block_ends(store: Store, settings: Settings) -> None:
    other = open_store(settings, Keyring.open(settings))
    with store.writing() as con:
        con.execute(ADD)
        assert count(other) == 0
    assert count(other) == 1
    other.close()


def test_a_write_that_fails_leaves_nothing_and_the_store_usable(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.writing() as con:
        con.execute(ADD)
        _ = 1 / 0
    assert count(store) == 0
    with store.writing() as con:
        con.execute(ADD)
    assert count(store) == 1


def test_a_process_killed_while_writing_leaves_nothing(store: Store, settings: Settings) -> None:
    done = subprocess.run([sys.executable, "-c", DIE, str(settings.home)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert count(store) == 0


def test_one_reading_block_sees_one_moment(store: Store, settings: Settings) -> None:
    other = open_store(settings, Keyring.open(settings))
    with store.reading() as con:
        assert con.execute(COUNT).scalar() == 0
        with other.writing() as writer:
            writer.execute(ADD)
        assert con.execute(COUNT).scalar() == 0
    assert count(store) == 1
    other.close()


def test_rows_that_refer_to_nothing_are_refused(store: Store) -> None:
    with pytest.raises(IntegrityError), store.writing() as con:
        con.execute(text("insert into file_day (file_id, day, rows) values ('none', '2026-01-05', 1)"))


@in_a_file
def test_a_store_under_a_new_key_no_longer_opens_under_the_old_one(settings: Settings) -> None:
    ring = Keyring.open(settings)
    store = open_store(settings, ring)
    with store.writing() as con:
        con.execute(ADD)
    store.close()
    ring.new_versions([KEY_NAME])
    rekey_store(settings, ring)
    opened = open_store(settings, ring)
    assert count(opened) == 1
    opened.close()
    ring.retire(KEY_NAME, 2)
    with pytest.raises(KeyAccessError):
        open_store(settings, ring)


@in_a_file
def test_a_store_opens_under_its_older_key_until_it_is_encrypted_anew(settings: Settings) -> None:
    ring = Keyring.open(settings)
    ring.new_versions([KEY_NAME])
    before_rekey = open_store(settings, ring)
    assert count(before_rekey) == 0
    before_rekey.close()
    rekey_store(settings, ring)
    rekey_store(settings, ring)
    ring.retire(KEY_NAME, 1)
    after = open_store(settings, ring)
    assert count(after) == 0
    after.close()
