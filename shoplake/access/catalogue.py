"""What tables there are and which of their columns are sensitive, as the models' own files say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from shoplake.files import read_yaml

PACKAGE = Path(__file__).parents[1]
PSEUDONYM = "pseudonym"
"""Sensitivity of columns that tell persons apart."""
CUSTOMER = "customer_key"


@dataclass(frozen=True)
class TableEntry:
    """One table that releases hold."""

    database: str
    name: str
    columns: Mapping[str, str | None]
    """Column to its sensitivity; None for a column that whoever reads the table may see."""

    @property
    def full_name(self) -> str:
        """Give the name that queries use."""
        return f"{self.database}.{self.name}"

    @property
    def is_personal(self) -> bool:
        """Say whether its rows tell persons apart."""
        return PSEUDONYM in self.columns.values()


@cache
def load_catalogue() -> dict[str, TableEntry]:
    """Read the columns of every released table from ``warehouse/core`` and ``marts``, by bare table name."""
    found = {}
    for database, folder in (("warehouse", PACKAGE / "warehouse" / "core"), *_marts()):
        for file in sorted(folder.glob("*.yml")):
            if not file.name.startswith("kpi_"):
                found.update({entry.name: entry for entry in _entries(database, file)})
    return found


def _marts() -> list[tuple[str, Path]]:
    return [(folder.name, folder) for folder in sorted((PACKAGE / "marts").iterdir()) if folder.is_dir()]


def _entries(database: str, file: Path) -> list[TableEntry]:
    return [
        TableEntry(
            database,
            model["name"],
            {c["name"]: c.get("config", {}).get("meta", {}).get("sensitivity") for c in model["columns"]},
        )
        for model in read_yaml(file).get("models", ())
    ]


def person_column(entry: TableEntry) -> str | None:
    """Give the column by which a table's customers are counted, if its rows tell them apart."""
    tagged = [name for name, tag in entry.columns.items() if tag == PSEUDONYM]
    return CUSTOMER if CUSTOMER in tagged else next(iter(tagged), None)
