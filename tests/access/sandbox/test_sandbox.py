"""What a person asks is answered within limits, on record, and by a process that nobody else has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from shoplake.access.identity import Identity
from shoplake.access.sandbox import Question, Sandbox
from shoplake.access.sql import query
from shoplake.audit.reading import Wanted, find
from shoplake.errors import (
    AccessDenied,
    NotFoundError,
    QueryCancelled,
    QueryError,
    QueryTimeout,
    ShoplakeError,
    TooManyQueries,
    WorkerLost,
)
from shoplake.home import HomePaths
from shoplake.keys.keyring import Keyring
from shoplake.pipeline import releases
from shoplake.pipeline.rotation import rotate
from shoplake.pipeline.run import run
from shoplake.settings import Settings
from tests.access.released import land_day
from tests.access.sandbox.conftest import ENVIRONMENT, processes_of

SALES = Identity("sales", "sales")
STORE_DAYS = "select store_id, net_amount from sales.mart_sales__store_day order by all"
ENDLESS = "select count(*) from range(10000000) a, range(10000000) b where a.range * b.range = 7"


def until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def worker_of(box: Sandbox, query_id: str) -> int:
    """Give the process that answers a query, once it does."""

    def number() -> int:
        running = box._running.get(query_id)
        handle = running.worker._handle if running and running.worker else None
        if handle is None:
            return 0
        told = Path(f"/proc/self/fdinfo/{handle}").read_text(encoding="utf-8")
        return int(told.rpartition("Pid:")[2].split()[0])

    return int(until(number))


@contextmanager
def asked(box: Sandbox, sql: str, name: str, identity: Identity = SALES) -> Iterator[Future[Any]]:
    """Have a query run, or wait, while the block does."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(box.answer, identity, Question(sql), query_id=name)
        until(lambda: any(one.query_id == name for one in box.running()))
        try:
            yield future
        finally:
            box.cancel(name)


def test_an_answer_is_the_rows_of_the_release_and_on_record(asking: Settings, box: Sandbox) -> None:
    answer = box.answer(SALES, Question(STORE_DAYS), query_id="q-first")
    there = query(asking, STORE_DAYS)
    assert answer.table.column_names == ["store_id", "net_amount"]
    assert [tuple(row.values()) for row in answer.table.to_pylist()] == there.rows
    assert (answer.query_id, answer.release, answer.is_cut) == ("q-first", there.release, False)
    (*_, record) = find(asking, Wanted(action="sql", user="sales"))
    assert (record.actor, record.role, record.outcome) == ("sales", "sales", "ok")
    assert record.detail["sql"] == STORE_DAYS
    assert record.detail["query"] == "q-first"
    assert record.tables == ["sales.mart_sales__store_day"]
    assert (record.rows, record.release) == (answer.table.num_rows, answer.release)
    assert record.result_bytes == answer.table.nbytes
    assert any("mart_sales__store_day/" in key for key in record.keys)


def test_persons_that_are_shown_are_on_record(asking: Settings, box: Sandbox) -> None:
    sql = "select [{'k': customer_key}] as deep from warehouse.dim_customer"
    shown = box.answer(Identity("privacy_officer", "privacy_officer"), Question(sql)).table.to_pylist()
    (*_, record) = find(asking, Wanted(action="sql", user="privacy_officer"))
    assert record.persons == sorted(row["deep"][0]["k"] for row in shown)
    assert record.persons


def test_questions_have_parameters_a_database_and_a_release(asking: Settings, box: Sandbox) -> None:
    release = releases.required(asking, None).release_id
    by_place = Question(
        "select count(*) as n from mart_sales__store_day where store_id = ?", [1], database="sales", release=release
    )
    by_name = Question("select $a || $b as c", {"a": "x", "b": "'; --"})
    assert box.answer(SALES, by_place).table.to_pylist()[0]["n"] > 0
    assert box.answer(SALES, by_name).table.to_pylist() == [{"c": "x'; --"}]
    with pytest.raises(NotFoundError, match="no database 'finance' for sales"):
        box.answer(SALES, Question("select 1", database="finance"))
    with pytest.raises(NotFoundError):
        box.answer(SALES, Question("select 1", release="20200101T000000Z-abcdef"))


def test_an_answer_is_cut_at_the_limits(box: Sandbox) -> None:
    answer = box.answer(SALES, Question("select range as n from range(300000)", row_limit=200_000))
    assert (answer.table.num_rows, answer.is_cut) == (200_000, True)
    assert not box.answer(SALES, Question("select * from range(10)", row_limit=10)).is_cut
    assert box.answer(SALES, Question("select * from range(10)", row_limit=0)).is_cut
    small = box.answer(SALES, Question("select range as n from range(300000)", byte_limit=8_000))
    assert small.is_cut
    assert 900 <= small.table.num_rows <= 1000
    with pytest.raises(QueryError, match="single row"):
        box.answer(SALES, Question("select repeat('x', 10000)", byte_limit=5000))
    with pytest.raises(QueryError, match="cast it"):
        box.answer(SALES, Question("select 170141183460469231731687303715884105727::hugeint"))


def test_an_empty_answer_has_its_columns(box: Sandbox) -> None:
    answer = box.answer(SALES, Question("select 1 as a, 'x' as b where false"))
    assert answer.schema.names == ["a", "b"]
    assert answer.table.num_rows == 0


@pytest.mark.parametrize(
    ("sql", "error", "says"),
    [
        ("select 1; select 2", QueryError, "Only one SELECT"),
        ("create table x as select 1", QueryError, "Only one SELECT"),
        ("explain analyze copy (select 1) to '0'", QueryError, "Only one SELECT"),
        ("explain (analyze, format json) create table x as select 1", QueryError, "Only one SELECT"),
        ("selec 1", QueryError, "syntax error"),
        ("select nothing_such", QueryError, "nothing_such"),
        ("select get_type(1)", QueryError, "Unsupported Arrow type"),
        ("select error('at row ' || range) from range(300000) where range > 200000", QueryError, "at row"),
        ("select unit_cost_amount from warehouse.dim_product", AccessDenied, "is cost"),
        ("select * from finance.mart_finance__revenue_day", AccessDenied, "no line grants"),
    ],
)
def test_what_does_not_pass_says_why_and_is_on_record(
    asking: Settings, box: Sandbox, sql: str, error: type[ShoplakeError], says: str
) -> None:
    with pytest.raises(error, match=says) as raised:
        box.answer(SALES, Question(sql))
    (*_, record) = find(asking, Wanted(action="sql", user="sales"))
    assert record.outcome == "failed"
    assert (record.error or "").startswith(raised.value.code)
    assert record.rows is None


@pytest.mark.parametrize(
    "sql",
    [
        "explain select 1",
        "explain analyze select 1",
        "explain (select 1)",
        "explain (format json) select 1",
        "explain /* é */ analyze (select 1)",
        "explain (analyze, format json) (select 1)",
        "explain with x as (select 1) from x",
        "describe select 1",
        "from range(3)",
        "values (1)",
    ],
)
def test_what_only_reads_passes(box: Sandbox, sql: str) -> None:
    assert box.answer(SALES, Question(sql)).table.num_rows > 0


def test_who_may_not_ask_in_sql_is_refused(released: Settings) -> None:
    with Sandbox(released) as box, pytest.raises(AccessDenied, match="ask in SQL"):
        box.answer(Identity("auditor", "auditor"), Question("select 1"))


def test_a_query_ends_when_its_time_is_up_or_somebody_cancels_it(box: Sandbox) -> None:
    with pytest.raises(QueryTimeout):
        box.answer(SALES, Question(ENDLESS, seconds=0.3))
    with asked(box, ENDLESS, "q-long") as future:
        number = worker_of(box, "q-long")
        (running,) = box.running()
        assert (running.user, running.role, running.sql) == ("sales", "sales", ENDLESS)
        assert box.cancel("q-long")
        with pytest.raises(QueryCancelled):
            future.result(60)
    until(lambda: not Path(f"/proc/{number}").exists())
    assert box.running() == []
    assert not box.cancel("q-long")


def test_one_person_does_not_have_all_turns(asking: Settings) -> None:
    few = asking.model_copy(update={"sandbox_workers": 2, "sandbox_wait_seconds": 0.2})
    with Sandbox(few) as box, asked(box, ENDLESS, "q-long") as first:
        worker_of(box, "q-long")
        with pytest.raises(TooManyQueries, match="yours"):
            box.answer(SALES, Question("select 1"))
        other = Identity("finance", "finance")
        assert box.answer(other, Question("select 1")).table.num_rows == 1
        assert not first.done()


def test_a_query_that_waits_can_be_cancelled(asking: Settings) -> None:
    few = asking.model_copy(update={"sandbox_workers": 1, "sandbox_wait_seconds": 60.0})
    with Sandbox(few) as box, asked(box, ENDLESS, "q-one"):
        worker_of(box, "q-one")
        with asked(box, "select 1", "q-two") as second:
            box.cancel("q-two")
            with pytest.raises(QueryCancelled):
                second.result(60)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
def test_a_worker_that_dies_takes_nobody_with_it(box: Sandbox, how: signal.Signals) -> None:
    finance = Identity("finance", "finance")
    with asked(box, ENDLESS, "q-other", finance) as other, asked(box, ENDLESS, "q-dies") as future:
        worker_of(box, "q-other")
        os.kill(worker_of(box, "q-dies"), how)
        with pytest.raises(WorkerLost):
            future.result(60)
        assert box.answer(SALES, Question("select 1 as a")).table.to_pylist() == [{"a": 1}]
        assert not other.done()


def test_every_query_has_a_process_of_its_own(box: Sandbox) -> None:
    numbers = set()
    for name in ("q-a", "q-b", "q-c"):
        with asked(box, ENDLESS, name):
            numbers.add(worker_of(box, name))
    assert len(numbers) == 3
    assert os.getpid() not in numbers


def all_workers_are_there(box: Sandbox) -> bool:
    expected = sum(1 + len(session._spares) for session in box._pool._sessions.values())
    return len(processes_of(box._pool.server_pid or 0)) == expected


def test_the_pool_mends_itself(asking: Settings) -> None:
    with Sandbox(asking) as box:
        box.answer(SALES, Question(STORE_DAYS))
        server = box._pool.server_pid
        assert server is not None
        until(lambda: all_workers_are_there(box))  # One that is forked later would be in no list.
        session = min(processes_of(server))
        ended = [session, *processes_of(session)]
        os.kill(session, signal.SIGKILL)
        until(lambda: not [number for number in ended if Path(f"/proc/{number}").exists()])
        assert box.answer(SALES, Question(STORE_DAYS)).table.num_rows > 0
        until(lambda: all_workers_are_there(box))
        others = processes_of(server)
        os.kill(server, signal.SIGKILL)
        until(lambda: not [number for number in others if Path(f"/proc/{number}").exists()])
        assert box.answer(SALES, Question(STORE_DAYS)).table.num_rows > 0
        assert box._pool.server_pid != server
        (left,) = box._pool._sessions.values()
        until(lambda: len(left._spares) > 0)


def test_no_secret_is_in_a_process_table_and_closing_leaves_nothing(
    asking: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOPLAKE_ANOTHER_CANARY", ENVIRONMENT)
    ring = Keyring.open(asking)
    secrets = [ENVIRONMENT.encode(), str(asking.home).encode(), *(ring.current(name).secret for name in ring.names())]
    with Sandbox(asking) as box, asked(box, ENDLESS, "q-long"):
        worker_of(box, "q-long")
        assert box._pool.server_pid is not None
        found = [box._pool.server_pid, *processes_of(box._pool.server_pid)]
        assert len(found) >= 3
        for number in found:
            for name in ("cmdline", "environ"):
                shown = Path(f"/proc/{number}/{name}").read_bytes()
                assert not [secret for secret in secrets if secret in shown]
    until(lambda: not [number for number in found if Path(f"/proc/{number}").exists()])


def test_folders_go_with_their_service_or_when_the_next_one_starts(own_released: Settings) -> None:
    above = HomePaths(own_released.home).sandbox
    left = above / "left" / "session"
    left.mkdir(parents=True)
    (left / "0").write_bytes(b"x")
    left.chmod(0o511)
    with Sandbox(own_released) as box:
        box.answer(SALES, Question(STORE_DAYS))
        assert len(list(above.iterdir())) == 1
        with Sandbox(own_released):
            assert len(list(above.iterdir())) == 2
        assert box.answer(SALES, Question(STORE_DAYS)).table.num_rows > 0
    assert list(above.iterdir()) == []


def test_a_service_that_is_killed_takes_its_processes_with_it(asking: Settings) -> None:
    program = (
        "import sys; from pathlib import Path; from shoplake.settings import load_settings\n"
        "from shoplake.access.sandbox import Question, Sandbox; from shoplake.access.identity import Identity\n"
        "box = Sandbox(load_settings(Path(sys.argv[1]))); box.start(); print('started', flush=True)\n"
        f"box.answer(Identity('sales', 'sales'), Question({ENDLESS!r}))"
    )
    command = [sys.executable, "-c", program, str(asking.home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        assert service.stdout.readline() == "started\n"
        found = until(lambda: there if len(there := processes_of(service.pid)) >= 3 else None)
        service.kill()
    until(lambda: not [number for number in found if Path(f"/proc/{number}").exists()])


def test_answers_follow_the_release_the_keys_and_the_policy(own_released: Settings, tmp_path: Path) -> None:
    north, count = (
        Identity("north_sales", "sales", {"region": ("North",)}),
        "select count(*) n, sum(net_amount) s from ",
    )
    count += "sales.mart_sales__store_day"
    with Sandbox(own_released) as box:
        first = box.answer(north, Question(count))
        before = first.table.to_pylist()[0]
        old = next(iter(box._pool._sessions.values()))
        land_day(own_released, tmp_path, 2)
        assert run(own_released).published
        after = box.answer(north, Question(count))
        assert after.table.to_pylist()[0]["n"] == before["n"] + 1
        assert after.release != first.release
        assert box.answer(north, Question(count, release=first.release)).table.to_pylist() == [before]
        rotate(own_released)
        assert box.answer(north, Question(count)).table.to_pylist() == after.table.to_pylist()
        until(lambda: old.is_retired)
        (own_released.home / "policy.yaml").write_text("roles: {}\n", encoding="utf-8")
        with pytest.raises(ShoplakeError):
            box.answer(north, Question(count))
        until(lambda: not box._pool._sessions)
