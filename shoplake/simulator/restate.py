"""A day of sales that the tills send once more, put right: some lines changed, some gone, some new."""

from __future__ import annotations

import re

from shoplake.simulator.dirt import CsvCodec
from shoplake.simulator.world import World

SHARE = 0.004
"""Of the lines, for each of changed, removed and added."""
AMOUNT = re.compile(r"[0-9]+\.[0-9]{2}")


def restated_day(world: World) -> int:
    """Give the number of the day that is restated."""
    return world.days // 2


def restated(world: World, codec: CsvCodec, lines: list[str]) -> list[str]:
    """Give the lines of the day as they are sent the second time."""
    draws = world.draws("restated")
    sold = [place for place, line in enumerate(lines) if _is_plain_sale(codec, line)]
    each = max(1, int(len(sold) * SHARE))
    picked = [sold[place] for place in draws.permutation(len(sold))[: 3 * each].tolist()]
    changed, removed, copied = set(picked[::3]), set(picked[1::3]), picked[2::3]
    again = [
        _corrected(codec, line) if place in changed else line
        for place, line in enumerate(lines)
        if place not in removed
    ]
    return again + [_added(codec, lines[place], number) for number, place in enumerate(copied, start=1)]


def _is_plain_sale(codec: CsvCodec, line: str) -> bool:
    if line.count(",") != len(codec.columns) - 1:
        return False
    row = codec.parse(line)
    is_written_plainly = row["store_id"].isdecimal() and row["product_id"].isdecimal() and row["timestamp"].isdecimal()
    return (
        is_written_plainly
        and row["transaction_id"].startswith("S")
        and row["quantity"] == "1"
        and AMOUNT.fullmatch(row["revenue"]) is not None
        and not row["discount_applied"]
    )


def _corrected(codec: CsvCodec, line: str) -> str:
    """Make two units of one."""
    row = codec.parse(line)
    row.update(quantity="2", revenue=f"{2 * float(row['revenue']):.2f}")
    return codec.format(row)


def _added(codec: CsvCodec, line: str, number: int) -> str:
    """Make a basket that had not been sent of one that had: the same thing sold a minute later."""
    row = codec.parse(line)
    row.update(transaction_id=f"{row['transaction_id']}-L{number}", timestamp=str(int(row["timestamp"]) + 60))
    return codec.format(row)
