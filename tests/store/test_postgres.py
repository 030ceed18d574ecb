"""A home whose operational store is in PostgreSQL: what only a server can do wrong, and the whole way through it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from shoplake.access.kpi import answer
from shoplake.errors import HomeError
from shoplake.keys.keyring import Keyring
from shoplake.lake import browse, quarantine
from shoplake.lake.landing import land
from shoplake.monitoring.status import status
from shoplake.pipeline.rotation import rotate
from shoplake.pipeline.run import run
from shoplake.settings import Settings
from shoplake.store.engine import open_store
from tests.postgres import LOGIN, PostgresServer

HEADER = "transaction_id,store_id,product_id,quantity,revenue,discount_applied,timestamp\n"
WITHOUT_DRIVER = """
import sys
sys.modules["psycopg"] = None
from pathlib import Path
from shoplake.keys.keyring import Keyring
from shoplake.settings import load_settings
from shoplake.store.engine import open_store
settings = load_settings(Path(sys.argv[1]))
try:
    open_store(settings, Keyring.open(settings))
except Exception as error:
    print(type(error).__name__, error.message, error.hint)
"""
pytestmark = [pytest.mark.parametrize("engine", ["postgresql"], indirect=True), pytest.mark.usefixtures("engine")]


def test_the_server_asks_for_the_password_by_scram(postgres: PostgresServer) -> None:
    with postgres.connect() as con:
        (stored,) = con.execute("select rolpassword from pg_authid where rolname = %s", [LOGIN]).fetchone()
        rules = con.execute("select distinct auth_method from pg_hba_file_rules").fetchall()
    assert stored.startswith("SCRAM-SHA-256$")
    assert rules == [("scram-sha-256",)]


def test_a_home_goes_all_the_way_with_its_store_on_a_server(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "pos.csv"
    rows = [f"T{n},1,7,2,5.00,,{1_772_323_200 + n}\n" for n in range(40)]
    file.write_text(HEADER + "".join(rows) + "T99,1,7,many,5.00,,1772323300\n", encoding="utf-8")
    assert [f.status for f in land(settings, "pos", [file])] == ["landed"]
    assert run(settings).published
    file.write_text(HEADER + "".join(rows[:-1]), encoding="utf-8")
    assert [f.status for f in land(settings, "pos", [file])] == ["restated"]
    assert [row.status for row in quarantine.list_rows(settings, status=None)] == ["discarded"]
    people = tmp_path / "calls.jsonl"
    people.write_text(
        '{"customer_id": 4, "interaction_type": "Feedback", "message_excerpt": "good", "timestamp": 1772323200}\n'
    )
    assert [f.status for f in land(settings, "interactions", [people])] == ["landed"]
    rotate(settings)
    assert run(settings).published
    assert answer(settings, "total_sales").total.value == 39 * 5
    assert len(browse.show_rows(settings, "interactions").rows) == 1
    assert [r["file"] for r in status(settings)["restatements"]] == ["pos.csv"]
    assert list((settings.home / "store").iterdir()) == []


@pytest.mark.parametrize("url", ["mysql://me:findme@db/store", "not a url findme"])
def test_another_kind_of_store_is_refused_without_showing_the_password(settings: Settings, url: str) -> None:
    with pytest.raises(HomeError, match="store_url") as caught:
        open_store(settings.model_copy(update={"store_url": url}), Keyring.open(settings))
    assert "findme" not in f"{caught.value.message} {caught.value.hint}"


def test_a_wrong_password_and_a_missing_server_are_clear_and_show_no_password(
    settings: Settings, postgres: PostgresServer, tmp_path: Path
) -> None:
    ring = Keyring.open(settings)
    for host in (postgres.folder, tmp_path):
        wrong = f"postgresql://{LOGIN}:findme@/store_0?host={host}"
        with pytest.raises(HomeError, match="cannot be opened") as caught:
            open_store(settings.model_copy(update={"store_url": wrong}), ring)
        assert "findme" not in f"{caught.value.message} {caught.value.hint}"


def test_a_missing_driver_is_named(settings: Settings) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_DRIVER, str(settings.home)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("HomeError PostgreSQL's driver cannot be loaded")
    assert "shoplake[postgres]" in done.stdout
