"""The unit of a table's column, as its name says it: the grammar of names puts it at the end."""

from __future__ import annotations

ENDINGS = {
    "_amount": "money",
    "_amount_with_cost": "money",
    "_lost_daily": "money",
    "_seconds": "seconds",
    "_ratio": "ratio",
    "_share": "ratio",
    "_date": "business day",
    "_day": "business day",
}
UNITS = ("units", "stock_level", "closing_level", "restock_threshold")


def unit_of(name: str, kind: str) -> str:
    """Give the unit of a column of a name and a DuckDB type; empty where the name says none."""
    if kind == "TIMESTAMP":
        return "UTC"
    if name in UNITS or name.startswith("units_"):
        return "units"
    if name == "level_seconds":
        return "units x seconds"
    return next((unit for ending, unit in ENDINGS.items() if name.endswith(ending)), "")
