"""Files for people who see part of a table: made for what changed, kept in step, gone when nobody needs them."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from shoplake.access.identity import Identity
from shoplake.access.login import open_logins
from shoplake.access.releasing import apply, needed_views
from shoplake.access.sql import query
from shoplake.errors import AccessDenied, KeyAccessError, LockedError
from shoplake.home import HomePaths, home_lock
from shoplake.keys.duckdb_session import add_parquet_key, connect, copy_options, parquet_options
from shoplake.keys.keyring import Keyring
from shoplake.pipeline import releases
from shoplake.pipeline.rotation import key_status, rotate
from shoplake.pipeline.run import run
from shoplake.settings import Settings
from tests.access.released import LIMITED, land_day

NORTH_SALES = Identity("north_sales", "sales", {"region": ("North",)})
SUM = "select count(*), sum(net_amount) from sales.mart_sales__store_day"


def files(settings: Settings) -> dict[str, int]:
    """Give every partition file on disk with its inode."""
    root = HomePaths(settings.home).partitions
    return {str(file.relative_to(root)): file.stat().st_ino for file in root.rglob("*.parquet")}


def seen(settings: Settings, release: str | None = None) -> tuple[int, float]:
    (count, total) = query(settings, SUM, identity=NORTH_SALES, release=release).rows[0]
    return int(count), float(total)


def test_a_run_keeps_views_in_step_and_writes_only_what_changed(own_released: Settings, tmp_path: Path) -> None:
    settings, before = own_released, files(own_released)
    first, old = releases.required(settings, None), seen(own_released)
    land_day(settings, tmp_path, 2)
    run(settings)
    second = releases.required(settings, None)
    assert second.views.keys() == first.views.keys()
    for name, view in second.views.items():
        table = second.tables[view.table]
        assert [(p.label, p.content) for p in view.partitions] == [(p.label, p.content) for p in table.partitions]
        kept = {p.label: p for p in first.views[name].partitions}
        unchanged = [p for p in view.partitions if p.label in kept and kept[p.label].content == p.content]
        assert all(kept[p.label] == p for p in unchanged)
    written = files(settings)
    assert {name: before[name] for name in before} == {name: written[name] for name in before}
    new = sum(len(view.partitions) for view in second.views.values()) - sum(
        p in first.views[name].partitions for name, view in second.views.items() for p in view.partitions
    )
    assert 0 < sum("/views/" in name for name in written.keys() - before.keys()) <= new
    assert seen(settings)[0] == old[0] + 1
    assert seen(settings, first.release_id) == old

    rotate(settings)
    assert seen(settings)[0] == old[0] + 1
    assert seen(settings, first.release_id) == old
    assert all(row["is_current"] for row in key_status(settings) if row["files"])
    view_key = next(iter(second.views.values())).key_name
    with pytest.raises(KeyAccessError):
        Keyring.open(settings).get(view_key, 1)

    for name in LIMITED:
        with open_logins(settings) as logins:
            logins.users.set_disabled(name, is_disabled=True)
    made, dropped = apply(settings)
    assert made == 0
    assert dropped > 0
    assert releases.required(settings, None).views.keys() == {view.view_id for view in needed_views(settings)}
    with pytest.raises(AccessDenied, match="holds no files"):
        query(settings, SUM, identity=NORTH_SALES)
    releases.prune(settings, keep=1)
    assert files(settings).keys() == releases.files_in([releases.required(settings, None)])


def as_it_once_was(settings: Settings) -> str:
    """Put the served release's tables under one key a database, as they were before; give its id."""
    served = releases.required(settings, None)
    ring, con, tables = Keyring.open(settings), connect(settings), {}
    root = HomePaths(settings.home).partitions
    for name, table in served.tables.items():
        old = add_parquet_key(con, ring.current(table.key_name))
        new = add_parquet_key(con, ring.current(table.database))
        for file in (root / name for p in table.partitions for name in p.files):
            rows = f"select * from read_parquet('{file}', {parquet_options(old)}, hive_partitioning = false)"
            con.execute(f"copy ({rows}) to '{file}.part' ({copy_options(new)})")
            Path(f"{file}.part").replace(file)
        tables[name] = msgspec.structs.replace(table, key="")
    releases.replace_manifest(settings, msgspec.structs.replace(served, tables=tables, views={}))
    return served.release_id


@pytest.mark.proof
def test_a_release_from_before_tables_had_keys_stays_readable(own_released: Settings, tmp_path: Path) -> None:
    before, old = query(own_released, SUM).rows, as_it_once_was(own_released)
    assert query(own_released, SUM).rows == before
    land_day(own_released, tmp_path, 2)
    assert run(own_released).published
    apply(own_released)
    assert query(own_released, SUM, release=old).rows == before
    assert seen(own_released)[0] == before[0][0] / 2 + 1
    rotate(own_released)
    assert query(own_released, SUM, release=old).rows == before


def test_files_for_a_new_user_wait_for_whoever_holds_the_home(own_released: Settings) -> None:
    with open_logins(own_released) as logins:
        logins.users.add("new", "sales", {"region": ["North", "East"]}, "unset")
    prune = [sys.executable, "-m", "shoplake", "--home", str(own_released.home), "releases", "prune", "--keep", "5"]
    with ThreadPoolExecutor(2) as waiting:
        with home_lock(own_released):
            with pytest.raises(LockedError, match="is changing"):
                apply(own_released, wait_seconds=0.1)
            made = waiting.submit(apply, own_released)
            pruned = waiting.submit(subprocess.run, prune, check=False, capture_output=True)
            time.sleep(1)
            assert not made.done()
            assert not pruned.done()
        assert made.result()[0] > 0
        assert pruned.result().returncode == 0
    assert apply(own_released) == (0, 0)


def test_without_limited_users_nothing_is_copied(own_released: Settings) -> None:
    with open_logins(own_released) as logins:
        for user in logins.users.list():
            if user.role not in {"finance", "marketing", "support", "admin"} or user.name in LIMITED:
                logins.users.set_disabled(user.name, is_disabled=True)
    assert needed_views(own_released) == []
    apply(own_released)
    assert releases.required(own_released, None).views == {}
