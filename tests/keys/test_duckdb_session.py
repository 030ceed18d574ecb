"""What DuckDB writes for us, spill files too, opens only under its key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from shoplake.errors import KeyAccessError
from shoplake.keys import duckdb_session
from shoplake.keys.duckdb_session import add_parquet_key, connect, copy_options, parquet_options, scan_sql
from shoplake.keys.keyring import DataKey
from shoplake.settings import Settings

SENTENCE = "a-sentence-that-must-not-be-found-on-disk"
KEY, OTHER = DataKey("lake_pos", 1, b"k" * 32), DataKey("lake_pos", 1, b"o" * 32)


@pytest.fixture
def con(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection of a fresh home."""
    with connect(settings) as opened:
        yield opened


def write(con: duckdb.DuckDBPyConnection, path: Path, key: DataKey, *, rows: int = 1000) -> str:
    name = add_parquet_key(con, key)
    rows_sql = f"select i as number, '{SENTENCE}' as sentence from range({rows}) r(i)"
    con.execute(f"copy ({rows_sql}) to '{path}' ({copy_options(name)})")
    return name


def test_encrypted_parquet_comes_back_as_it_was_written(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    name = write(con, file, KEY)
    scan = scan_sql({name: [file]}, {"number": "BIGINT", "sentence": "VARCHAR"})
    row = con.execute(f"select count(*), sum(number), any_value(sentence) from ({scan})").fetchone()
    assert row == (1000, 499500, SENTENCE)


def test_the_file_shows_neither_values_nor_column_names(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    write(con, file, KEY)
    data = file.read_bytes()
    assert data.startswith(b"PARE")
    assert SENTENCE.encode() not in data
    assert b"sentence" not in data


def test_a_file_does_not_open_without_its_key(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    write(con, file, KEY)
    with pytest.raises(duckdb.Error, match="encrypt"):
        con.execute(f"select * from '{file}'").fetchall()


def test_a_file_does_not_open_under_another_key_of_the_same_name(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    with connect(settings) as con:
        write(con, file, KEY)
    with connect(settings) as con:
        name = add_parquet_key(con, OTHER)
        with pytest.raises(duckdb.Error) as caught:
            con.execute(f"select * from read_parquet('{file}', {parquet_options(name)})").fetchall()
    assert SENTENCE not in str(caught.value)


def test_a_changed_byte_is_noticed(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    name = write(con, file, KEY)
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(duckdb.Error):
        con.execute(f"select * from read_parquet('{file}', {parquet_options(name)})").fetchall()


def test_two_versions_of_a_key_are_read_in_one_scan(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    first = write(con, tmp_path / "1.parquet", KEY)
    second = write(con, tmp_path / "2.parquet", DataKey("lake_pos", 2, b"n" * 32))
    scan = scan_sql({first: [tmp_path / "1.parquet"], second: [tmp_path / "2.parquet"]}, {"number": "BIGINT"})
    assert first != second
    assert con.execute(f"select count(*) from ({scan})").fetchone() == (2000,)


def test_a_scan_of_no_file_has_no_row_and_the_same_columns(con: duckdb.DuckDBPyConnection) -> None:
    scan = scan_sql({"unused": []}, {"number": "BIGINT", 'odd " name': "TIMESTAMP"})
    found = con.execute(scan)
    assert [(column[0], str(column[1])) for column in found.description or []] == [
        ("number", "BIGINT"),
        ('odd " name', "TIMESTAMP"),
    ]
    assert found.fetchall() == []


def test_a_path_with_a_quote_is_read(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    plain, quoted = tmp_path / "rows.parquet", tmp_path / "Joe's till.parquet"
    name = write(con, plain, KEY)
    plain.rename(quoted)
    assert con.execute(f"select count(*) from ({scan_sql({name: [quoted]}, {'number': 'BIGINT'})})").fetchone() == (
        1000,
    )


def test_what_spills_to_disk_is_encrypted(make_home: Callable[..., Settings]) -> None:
    settings = make_home("small", threads=1, memory_limit="60MB")
    spill = settings.home / "build" / "spill"
    with connect(settings) as con:
        con.execute(f"create table big as select '{SENTENCE}' || hash(i) as sentence, i from range(1500000) r(i)")
        files = [file for file in spill.rglob("*") if file.is_file()]
        assert sum(file.stat().st_size for file in files) > 1 << 20
        assert not any(SENTENCE.encode() in file.read_bytes() for file in files)
        assert con.execute("select count(distinct sentence[1:41]) from big").fetchone() == (1,)


def test_a_session_keeps_to_the_settings(make_home: Callable[..., Settings]) -> None:
    with connect(make_home("small", threads=1, memory_limit="512MB")) as con:
        row = con.execute(
            "select current_setting('threads'), current_setting('memory_limit'), current_setting('TimeZone')"
        ).fetchone()
    assert row == (1, "488.2 MiB", "UTC")


def test_without_the_real_cipher_there_is_no_session(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import duckdb_extensions

    def missing(*_: object, **__: object) -> None:
        raise ImportError("no wheel")

    monkeypatch.setattr(duckdb_extensions, "import_extension", missing)
    with duckdb.connect() as con:
        con.execute(f"set extension_directory = '{tmp_path}'")
        con.execute("set custom_extension_repository = '/nowhere'")
        with pytest.raises(KeyAccessError, match="httpfs"):
            duckdb_session.configure(con, settings)
        loaded = con.execute("select loaded from duckdb_extensions() where extension_name = 'httpfs'").fetchone()
    assert loaded == (False,)
