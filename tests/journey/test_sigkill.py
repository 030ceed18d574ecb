"""A process killed at any moment leaves each file landed once or not at all, and no half release."""

from __future__ import annotations

import csv
import decimal
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shoplake.access.sql import query
from shoplake.lake.landing import land
from shoplake.pipeline import releases
from shoplake.pipeline.run import run
from shoplake.settings import Settings
from tests.faults.children import Child

FIRST = 1_577_836_800
DAY = 86_400
LINES = 400
NET = "select count(*), sum(net_amount) from warehouse.fct_sale_lines"


def sales_of_day(folder: Path, number: int) -> tuple[Path, int, decimal.Decimal]:
    """Write a day of sales; give the file, its lines and its net sales."""
    draw = random.Random(number)  # noqa: S311 - test data
    path, net = folder / f"pos_{number:03d}.csv", decimal.Decimal(0)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["transaction_id", "store_id", "product_id", "quantity", "revenue", "discount_applied", "timestamp"]
        )
        for line in range(LINES):
            gross, discount = draw.randint(100, 9_000), draw.randint(0, 99)
            moment = FIRST + number * DAY + line * 200
            writer.writerow([f"T{number}-{line}", 1, line % 7, 1, gross / 100, discount / 100, moment])
            net += decimal.Decimal(gross - discount) / 100
    return path, LINES, net


def start(settings: Settings, *arguments: str) -> Child:
    return Child(["--home", str(settings.home), *arguments], {}, settings.home.with_name("log"))


def kill_after(process: Child, seconds: float) -> bool:
    """Kill the process and its children unless it ended before; say whether it was killed."""
    if process.exit_code(seconds) is not None:
        return False
    process.kill()
    return True


def duration(settings: Settings, *arguments: str) -> float:
    started = time.monotonic()
    assert start(settings, *arguments).exit_code(120) == 0
    return time.monotonic() - started


def assault(settings: Settings, folder: Path, kills: int) -> None:
    """Kill `land` and `run` in turn at random moments; after each, what is served must be whole."""
    draw = random.Random(kills)  # noqa: S311 - test moments
    lines, net = 0, decimal.Decimal(0)
    inbox = settings.home / "landing" / "pos"
    path, more, moved = sales_of_day(folder, 0)
    lines, net = lines + more, net + moved
    duration(settings, "lake", "list", "pos")  # the first process waits for what all are forked from
    typical = {"land": duration(settings, "land", "pos", str(path)), "run": duration(settings, "run")}
    killed, number = 0, 0
    while killed < kills:
        number += 1
        assert number < 4 * kills, "the process was hardly ever caught alive"
        command = "land" if number % 2 else "run"
        path, more, moved = sales_of_day(folder if command == "land" else inbox, number)
        lines, net = lines + more, net + moved
        arguments = ["land", "pos", str(path)] if command == "land" else ["run"]
        killed += kill_after(start(settings, *arguments), draw.uniform(0, 1.05 * typical[command]))
        served = releases.current(settings)
        assert served is not None
        assert query(settings, NET).rows[0][0] % LINES == 0
        if command == "land":
            (again,) = land(settings, "pos", [str(path)])
            assert again.status in {"landed", "unchanged"}
            (once_more,) = land(settings, "pos", [str(path)])
            assert (once_more.status, once_more.rows_landed) == ("unchanged", LINES)
    report = run(settings)
    assert report.tests.failed == 0
    assert query(settings, NET).rows == [(lines, net)]
    assert query(settings, "select sum(sale_lines) from sales.mart_sales__store_day").rows == [(lines,)]
    assert not list(inbox.iterdir())


def test_twenty_five_kills_lose_nothing_and_count_nothing_twice(settings: Settings, tmp_path: Path) -> None:
    assault(settings, tmp_path, kills=25)


@pytest.mark.proof
def test_three_hundred_kills(settings: Settings, tmp_path: Path, record_proof: Callable[[str, str], None]) -> None:
    assault(settings, tmp_path, kills=300)
    record_proof("sigkill", "300 SIGKILLs of land and run: every file landed once, every total right to the cent.")
