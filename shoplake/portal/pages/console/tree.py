"""What a person may ask about: databases, tables and columns of a release, with the models' own words on each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoplake.publication.descriptions import Description, load_descriptions

if TYPE_CHECKING:
    from shoplake.access.rights import Rights
    from shoplake.pipeline.manifest import Manifest

NOTHING = Description("", {})


@dataclass(frozen=True)
class TreeColumn:
    """One column."""

    name: str
    kind: str
    """Its SQL type."""
    words: str
    sensitivity: str
    """Its kind in the policy; empty for a column that comes with its table."""


@dataclass(frozen=True)
class TreeTable:
    """One table."""

    name: str
    """With its database."""
    words: str
    rows: int
    columns: tuple[TreeColumn, ...]

    @property
    def own_name(self) -> str:
        """Give the name without its database."""
        return self.name.partition(".")[2]


def tree_of(rights: Rights, manifest: Manifest) -> dict[str, list[TreeTable]]:
    """Give the tables of a release that a person may see, by database: no name of any other is in it."""
    found: dict[str, list[TreeTable]] = {}
    described = load_descriptions()
    for name, table in rights.narrowed(manifest).tables.items():
        words, tags = described.get(name, NOTHING), rights.catalogue[name].columns
        columns = tuple(
            TreeColumn(column, kind, plain(words.columns.get(column, "")), tags.get(column) or "")
            for column, kind in table.columns.items()
        )
        made = TreeTable(f"{table.database}.{name}", plain(words.table), table.rows, columns)
        found.setdefault(table.database, []).append(made)
    return {database: sorted(found[database], key=lambda table: table.name) for database in sorted(found)}


def plain(words: str) -> str:
    """Give a description without the marks of code."""
    return words.replace("`", "")
