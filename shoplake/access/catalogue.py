"""What tables there are and which of their columns are sensitive, as the models' own files say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

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
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is ten times as fast, where it is there
    document = yaml.load(file.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - both loaders are safe ones
    return [
        TableEntry(
            database,
            model["name"],
            {c["name"]: c.get("config", {}).get("meta", {}).get("sensitivity") for c in model["columns"]},
        )
        for model in document.get("models", ())
    ]


def person_column(entry: TableEntry) -> str | None:
    """Give the column by which a table's customers are counted, if its rows tell them apart."""
    tagged = [name for name, tag in entry.columns.items() if tag == PSEUDONYM]
    return CUSTOMER if CUSTOMER in tagged else next(iter(tagged), None)
