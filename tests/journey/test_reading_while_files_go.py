"""A reader who found a release or the lake just before a rotation, a prune or a run took it away reads on."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from shoplake.access import kpi, session, sql
from shoplake.errors import KeyAccessError, NotFoundError, QueryError
from shoplake.keys.keyring import Keyring
from shoplake.keys.rereading import ATTEMPTS, rereads
from shoplake.lake import browse, quarantine, quarantine_room
from shoplake.lake.landing import land
from shoplake.monitoring.status import status
from shoplake.pipeline import releases
from shoplake.pipeline.rotation import key_status, rotate
from shoplake.pipeline.run import run
from shoplake.settings import Settings
from tests.journey.world import COLUMNS, DAY, FIRST, write

FACT_KEY = "warehouse.fct_sale_lines"
COUNT = "select count(*) from warehouse.fct_sale_lines"
ROTATIONS = 8


def till_rows(day: int, *, quantity: int = 1) -> list[dict[str, Any]]:
    values = [[f"T{day}-{n}", 1, 1, quantity, 2.5, None, FIRST + day * DAY + n] for n in range(20)]
    rows = [dict(zip(COLUMNS["pos"], row, strict=True)) for row in values]
    return [*rows, {**rows[0], "transaction_id": "bad", "quantity": "many"}]


@pytest.fixture(scope="module")
def once_served(module_home: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Give a home with a release of three days, and a row of each in quarantine; no test changes it."""
    folder = tmp_path_factory.mktemp("in")
    files = [write(folder, "pos", f"day{day}", till_rows(day)) for day in range(3)]
    assert [file.status for file in land(module_home, "pos", files)] == ["landed"] * 3
    assert run(module_home).published
    return module_home


@pytest.fixture
def served(once_served: Settings, copied: Callable[[Settings], Settings]) -> Settings:
    """Give a copy of that home."""
    return copied(once_served)


def between(
    monkeypatch: pytest.MonkeyPatch, module: object, name: str, happens: Callable[[], object], *, after: bool = False
) -> None:
    """Let something real happen just before (or after) the first real call of a function."""
    real, waiting = getattr(module, name), [happens]

    def call(*args: Any, **kwargs: Any) -> Any:
        if waiting and not after:
            waiting.pop()()
        found = real(*args, **kwargs)
        if waiting:
            waiting.pop()()
        return found

    monkeypatch.setattr(module, name, call)


def test_files_of_a_manifest_read_before_a_rotation_are_gone(served: Settings) -> None:
    manifest = releases.required(served, None)
    rotate(served)
    with pytest.raises((duckdb.IOException, KeyAccessError)):
        session.open_release(served, manifest)


@pytest.mark.parametrize("after", [False, True], ids=["before opening", "before reading"])
def test_a_query_goes_on_over_a_rotation(served: Settings, monkeypatch: pytest.MonkeyPatch, after: bool) -> None:
    between(monkeypatch, session, "open_release", lambda: rotate(served), after=after)
    assert sql.query(served, COUNT).rows == [(60,)]
    assert {key["version"] for key in key_status(served) if key["key"] == FACT_KEY} == {2}


@pytest.mark.parametrize("after", [False, True], ids=["before opening", "before reading"])
def test_kpis_go_on_over_a_rotation(served: Settings, monkeypatch: pytest.MonkeyPatch, after: bool) -> None:
    between(monkeypatch, session, "open_release", lambda: rotate(served), after=after)
    assert kpi.answer(served, "total_sales").total.value == 150
    between(monkeypatch, session, "open_release", lambda: rotate(served), after=after)
    assert {a.kpi: a.total.value for a in kpi.answer_all(served)}["total_sales"] == 150


def test_raw_rows_are_shown_and_exported_over_a_rotation(
    served: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    between(monkeypatch, browse, "lake_scan_sql", lambda: rotate(served), after=True)
    assert len(browse.show_rows(served, "pos").rows) == 60
    between(monkeypatch, browse, "lake_scan_sql", lambda: rotate(served), after=True)
    assert browse.export_rows(served, "pos", tmp_path / "out.csv") == 60
    assert len((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()) == 61


def test_quarantined_rows_are_shown_over_a_rotation(served: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [row.id for row in quarantine.list_rows(served)]
    between(monkeypatch, quarantine_room, "lake_object_path", lambda: rotate(served), after=True)
    assert all("many" in str(row.raw) for row in quarantine.show_rows(served, ids))


def test_a_pruned_release_is_missing_and_the_current_one_is_read(
    served: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = releases.required(served, None).release_id

    def publish_and_prune() -> None:
        land(served, "pos", [write(tmp_path / "later", "pos", "day1", till_rows(1, quantity=2))])
        assert run(served).published
        assert releases.prune(served, keep=1)[0] == [old]

    between(monkeypatch, session, "open_release", publish_and_prune)
    assert sql.query(served, "select sum(units) from warehouse.fct_sale_lines").rows == [(80,)]
    with pytest.raises(NotFoundError, match=old):
        sql.query(served, COUNT, release=old)


def test_what_stays_missing_fails_the_last_time(served: Settings) -> None:
    for file in (served.home / "releases" / "partitions" / "warehouse" / "fct_sale_lines").iterdir():
        file.unlink()
    with pytest.raises(QueryError, match="No files found|No such file"):
        sql.query(served, COUNT)


def test_a_wrong_key_fails_after_the_last_attempt_and_other_errors_at_once() -> None:
    calls = []

    @rereads
    def read(error: Exception) -> None:
        calls.append(error)
        raise error

    with pytest.raises(KeyAccessError):
        read(KeyAccessError("the wrong key"))
    assert len(calls) == ATTEMPTS
    calls.clear()
    with pytest.raises(ZeroDivisionError):
        read(ZeroDivisionError())
    assert len(calls) == 1


@pytest.fixture
def rotating(served: Settings) -> Iterator[subprocess.Popen[str]]:
    """Rotate a home's keys again and again in a process of its own."""
    code = (
        "import sys; from pathlib import Path; from shoplake.settings import load_settings; "
        "from shoplake.pipeline.rotation import rotate; settings = load_settings(Path(sys.argv[1]))\n"
        f"for _ in range({ROTATIONS}): rotate(settings)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(served.home)], text=True)
    yield process
    process.kill()
    process.wait()


def test_every_reader_reads_on_while_another_process_rotates(
    served: Settings, rotating: subprocess.Popen[str], tmp_path: Path
) -> None:
    deadline, rounds = time.monotonic() + 120, 0
    ids = [row.id for row in quarantine.list_rows(served)]
    while rotating.poll() is None and time.monotonic() < deadline:
        rounds += 1
        assert sql.query(served, COUNT).rows == [(60,)]
        assert kpi.answer(served, "total_sales").total.value == 150
        assert len(browse.show_rows(served, "pos").rows) == 60
        assert browse.export_rows(served, "pos", tmp_path / f"{rounds}.parquet") == 60
        assert len(quarantine.show_rows(served, ids)) == 3
        assert status(served)["release"]
        assert key_status(served)
    assert rotating.wait() == 0
    assert rounds > 1
    assert Keyring.open(served).versions(FACT_KEY) == [1 + ROTATIONS]
    paths = [p for p in (served.home / "lake").rglob("*") if p.is_file()]
    assert all(f".v{1 + ROTATIONS}." in path.name for path in paths), paths
