"""Every command that shows or changes data leaves a record; one that is not called here fails the test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from shoplake.audit.reading import Wanted, find
from shoplake.audit.recording import close_logs
from shoplake.cli.main import shoplake
from shoplake.lake.landing import land
from shoplake.pipeline.init import init_home
from shoplake.pipeline.releases import required
from shoplake.pipeline.run import run
from shoplake.settings import Settings, load_settings
from tests.conventions.test_commands import leaves

SALES = "transaction_id,store_id,product_id,quantity,revenue,discount_applied,timestamp\n"
CALLS: dict[str, tuple[str, ...]] = {
    "init": (),
    "land": ("pos", "{files}/pos_2.csv"),
    "consume": ("--once",),
    "run": (),
    "kpis": (),
    "kpi": ("total_sales",),
    "sql": ("select count(*) from sales.mart_sales__store_day",),
    "status": (),
    "lake list": ("pos",),
    "lake show": ("pos",),
    "lake export": ("pos", "--output", "{files}/out.csv"),
    "quarantine list": (),
    "quarantine show": ("1",),
    "quarantine replay": ("pos",),
    "producers add": ("till", "--source", "web_events"),
    "producers list": (),
    "producers revoke": ("nobody",),
    "drain": (),
    "stream": ("--once",),
    "releases list": (),
    "releases show": (),
    "releases diff": ("{release}",),
    "releases prune": (),
    "users add": ("maria", "--role", "sales", "--password-stdin"),
    "users list": (),
    "users disable": ("nobody",),
    "users enable": ("nobody",),
    "users role": ("nobody", "sales"),
    "users password": ("nobody", "--password-stdin"),
    "users totp": ("nobody",),
    "tokens add": ("nobody",),
    "tokens list": (),
    "tokens revoke": ("nothing",),
    "publish postgres": ("--url", "postgresql://nobody@/nowhere?host={files}"),
    "access explain": ("nobody",),
    "access check": (),
    "access apply": (),
    "audit tail": (),
    "audit search": ("--table", "sales.mart_sales__store_day"),
    "audit export": ("--output", "{files}/audit.jsonl"),
    "audit verify": (),
    "keys status": (),
    "keys rotate": (),
}
RUNS_UNTIL_STOPPED = {"collect", "serve"}
MADE_OF_OTHERS = {"demo"}
"""Calls `init`, `land`, `run` and `kpis`, whose records these are."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, Path]]:
    """Give a home with a release and a quarantined row, and a folder of files."""
    files = tmp_path_factory.mktemp("audit")
    settings = load_settings(files / "home")
    init_home(settings)
    good = "".join(f"T{n},1,7,1,9.5,0.5,177232{n:04d}\n" for n in range(40))
    (files / "pos_1.csv").write_text(SALES + good + "T-bad,1,7,x,9.5,0.5,1772320000\n", encoding="utf-8")
    (files / "pos_2.csv").write_text(SALES + "T99,1,7,1,9.5,0.5,1772320000\n", encoding="utf-8")
    land(settings, "pos", [str(files / "pos_1.csv")])
    run(settings)
    yield settings, files
    close_logs()


def recorded(settings: Settings) -> int:
    return len(find(settings, Wanted()))


@pytest.mark.parametrize("name", [name for name, _ in leaves() if name not in RUNS_UNTIL_STOPPED | MADE_OF_OTHERS])
def test_a_command_leaves_a_record(name: str, filled: tuple[Settings, Path]) -> None:
    settings, files = filled
    assert name in CALLS, f"say in {Path(__file__).name} how `shoplake {name}` is called"
    release = required(settings, None).release_id if name == "releases diff" else ""
    arguments = [argument.format(files=files, release=release) for argument in CALLS[name]]
    before = recorded(settings)
    CliRunner().invoke(shoplake, ["--home", str(settings.home), *name.split(), *arguments])
    found = find(settings, Wanted())
    assert len(found) > before
    assert found[-1].action == name
    assert found[-1].actor.startswith("os:")


def test_a_collector_leaves_a_record_of_its_beginning_and_its_end(make_home: Callable[..., Settings]) -> None:
    settings = make_home()
    command = [sys.executable, "-m", "shoplake", "--home", str(settings.home), "collect", "--port", "0"]
    env = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Collecting on https://127.0.0.1:")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert [e.outcome for e in find(settings, Wanted(action="collect"))] == ["begun", "ok"]


def test_what_a_table_and_a_release_showed_is_one_command(filled: tuple[Settings, Path]) -> None:
    settings, _ = filled
    statement = "select store_id, net_amount from sales.mart_sales__store_day"
    call = CliRunner().invoke(shoplake, ["--home", str(settings.home), "sql", statement])
    assert call.exit_code == 0, call.output
    (*_, found) = find(settings, Wanted(table="mart_sales__store_day", action="sql"))
    assert found.detail["sql"] == statement
    assert found.release == required(settings, None).release_id
    assert (found.rows or 0) > 0
    assert (found.result_bytes or 0) > 0
    assert any("mart_sales__store_day/" in key for key in found.keys)
    assert found in find(settings, Wanted(release=found.release))
    assert found not in find(settings, Wanted(table="marketing.mart_marketing__sessions"))


def test_a_token_is_on_record_by_its_id_and_never_by_its_secret(filled: tuple[Settings, Path]) -> None:
    settings, _ = filled
    for given in ("3f2a91c04b7d", "slk-MARKER-of-a-secret"):
        CliRunner().invoke(shoplake, ["--home", str(settings.home), "tokens", "revoke", given])
    found = find(settings, Wanted(action="tokens revoke"))
    begun = [entry.detail.get("asked", {}) for entry in found if entry.outcome == "begun"]
    assert begun[-2:] == [{"token": "3f2a91c04b7d"}, {}]
    assert not [entry for entry in found if "MARKER" in repr(entry)]
