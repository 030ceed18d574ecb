"""Publications that are refused, killed, cut off or meet each other: readers see one release, whole."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
import pytest

from shoplake.audit.recording import close_logs
from shoplake.errors import InputError, PublicationError
from shoplake.pipeline.outcome import last_publication
from shoplake.publication.postgres import publish
from shoplake.settings import load_settings
from tests.publication.conftest import PUBLISHER, Bi, free_port
from tests.publication.test_changes import STORE_DAY, release, table

WRONG = "findme"
HOLDS_ITS_TURN = (
    "select l.pid from pg_locks l join pg_class c on c.oid = l.relation where c.relname = 'publication' "
    "and l.mode = 'ExclusiveLock' and l.granted"
)


@pytest.fixture(scope="session")
def other(bi: Bi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bi]:
    """Give a copy of the home with two releases in turn: all days, and the first alone."""
    home = tmp_path_factory.mktemp("faults") / "copy"
    shutil.copytree(bi.settings.home, home)
    yield bi.another(load_settings(home))


def show_days(other: Bi, days: int) -> str:
    """Release the first days only of two tables; their rows and sums then tell which release is read."""
    found = {}
    for name in ("mart_sales__store_day", "fct_sale_lines"):
        whole = ALL.setdefault(name, table(other.settings, name))
        found[name] = msgspec.structs.replace(whole, partitions=whole.partitions[:days])
    return release(other.settings, **found)


ALL: dict[str, Any] = {}


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("", "No database"),
        ("postgresql://me:findme@db.example/shop", "holds a password"),
        ("postgresql://me@db.example/shop?password=findme", "holds a password"),
        ("postgresql://me@db.example/shop?sslmode=prefer", "without TLS"),
        ("postgresql://me@db.example", "names no database"),
        ("mysql://me@db.example/shop", "not PostgreSQL"),
        ("nothing:findme", "not the URL"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_and_shows_no_password(bi: Bi, url: str, match: str) -> None:
    with pytest.raises(InputError, match=match) as caught:
        publish(bi.settings, url)
    assert "findme" not in repr(caught.value.as_dict())
    close_logs()
    assert not [p for p in bi.settings.home.rglob("*") if p.is_file() and b"findme" in p.read_bytes()]


def test_a_wrong_password_and_a_missing_server_are_clear_and_show_no_password(bi: Bi) -> None:
    with pytest.raises(PublicationError, match="password authentication failed") as caught:
        publish(bi.settings, bi.url, password=WRONG)
    assert "findme" not in repr(caught.value.as_dict())
    assert "--password-stdin" in caught.value.hint
    gone = f"postgresql://{PUBLISHER}@127.0.0.1:{free_port()}/bi"
    with pytest.raises(PublicationError, match="failed: Connection refused") as caught:
        publish(bi.settings, gone, password=WRONG)
    assert "findme" not in repr(caught.value.as_dict())
    last = last_publication(bi.settings)
    assert last is not None
    assert (last.status, last.target) == ("failed", gone.partition("@")[2])


def test_a_server_whose_certificate_nobody_vouches_for_is_not_spoken_to(bi: Bi, tmp_path: Path) -> None:
    from shoplake.keys.tls import ensure_authority
    from shoplake.pipeline.init import init_home

    stranger = load_settings(tmp_path / "home")
    init_home(stranger)
    url = bi.url.partition("?")[0] + f"?sslrootcert={ensure_authority(stranger)}"
    with pytest.raises(PublicationError, match="certificate verify failed"):
        publish(bi.settings, url, password=bi.passwords[PUBLISHER])


def test_a_login_that_may_not_publish_is_told_so(bi: Bi) -> None:
    url = bi.url.replace(f"{PUBLISHER}@", "sales@")
    with pytest.raises(PublicationError, match="permission denied") as caught:
        publish(bi.settings, url, password=bi.passwords["sales"])
    assert "CREATEROLE" in caught.value.hint


def test_readers_see_one_release_whole_while_others_take_its_place(other: Bi) -> None:
    expected = {show_days(other, days): days for days in (2, 1)}
    other.publish()
    other_rows = table(other.settings, "mart_sales__store_day").rows
    ends, seen = Event(), set()

    def read() -> int:
        reads = 0
        with other.connect("finance") as con:
            while not ends.is_set():
                row = con.execute(
                    f"select p.release_id, d.rows, d.net, l.net from shoplake.publication p, "
                    f"(select count(*) as rows, sum(net_amount) as net from {STORE_DAY}) d, "
                    "(select sum(net_amount) as net from warehouse.fct_sale_lines) l"
                ).fetchone()
                assert row is not None
                release_id, rows, net, lines = row
                assert (rows, net) == (expected[release_id] * other_rows, lines)
                seen.add(release_id)
                reads += 1
        return reads

    with ThreadPoolExecutor(2) as readers:
        reading = [readers.submit(read) for _ in range(2)]
        try:
            for turn in range(3):
                expected[show_days(other, 2 - turn % 2)] = 2 - turn % 2
                other.publish()
        finally:
            ends.set()
        assert all(one.result() > 3 for one in reading)
    assert len(seen) >= 2


@pytest.mark.parametrize(
    "delays",
    [(0.1,), pytest.param([n / 40 for n in range(12)], marks=pytest.mark.proof)],
    ids=["once", "at many moments"],
)
def test_a_publication_that_is_killed_leaves_the_old_release_and_the_next_one_goes_on(
    other: Bi, delays: Sequence[float]
) -> None:
    show_days(other, 2)
    old = other.publish().release
    call = [sys.executable, "-m", "shoplake", "--home", str(other.settings.home), "publish", "postgres", "--all"]
    env = os.environ | {
        "SHOPLAKE_PUBLISH_POSTGRES_PREFIX": other.settings.publish_postgres_prefix,
    }
    for delay in delays:
        new = show_days(other, 1)
        with other.as_owner() as con, subprocess.Popen([*call, "--url", other.url_with_passfile], env=env) as process:
            while not con.execute(HOLDS_ITS_TURN).fetchall():
                assert process.poll() is None
                time.sleep(0.002)
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
            process.wait()
        with other.connect("finance") as con:
            (shown,) = con.execute("select release_id from shoplake.publication").fetchone() or ("",)
            rows = con.execute(f"select count(*) from {STORE_DAY}").fetchone()
        whole = ALL["mart_sales__store_day"]
        assert (shown, rows) in {(old, (whole.rows,)), (new, (whole.partitions[0].rows,))}
        report = other.publish()
        assert report.release == new
        with other.as_owner() as con:
            assert con.execute(f"select count(*) from {STORE_DAY}").fetchone() == (whole.partitions[0].rows,)
            left = con.execute("select relname from pg_class where relname like '%\\_\\_next'").fetchall()
            assert left == []
        show_days(other, 2)
        old = other.publish().release


def test_a_connection_that_is_cut_is_told_and_the_process_goes_on(other: Bi) -> None:
    release_id = show_days(other, 1)
    with other.as_owner() as con, ThreadPoolExecutor(1) as thread:
        publishing = thread.submit(other.publish, everything=True)
        while not (found := con.execute(HOLDS_ITS_TURN).fetchall()):
            assert not publishing.done()
        con.execute("select pg_terminate_backend(%s)", [found[0][0]])
        with pytest.raises(PublicationError):
            publishing.result()
    assert other.publish().release == release_id
    with other.as_owner() as con:
        shown = con.execute(f"select count(*) from {STORE_DAY}").fetchone()
    assert shown == (table(other.settings, "mart_sales__store_day").rows,)


def test_two_publications_at_once_take_turns(other: Bi) -> None:
    show_days(other, 1)
    other.publish()
    show_days(other, 2)
    with ThreadPoolExecutor(2) as both:
        done = [one.result() for one in [both.submit(other.publish) for _ in range(2)]]
    assert sorted(report.rows > 0 for report in done) == [False, True]
    with other.as_owner() as con:
        assert con.execute(f"select count(*) from {STORE_DAY}").fetchone() == (ALL["mart_sales__store_day"].rows,)
