"""What the models' own files say of tables and columns, in words: the comments that people see in the database."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from shoplake.access.catalogue import PACKAGE

BLOCK = re.compile(r"\{% docs (\w+) %\}(.*?)\{% enddocs %\}", re.DOTALL)
REFERENCE = re.compile(r"\{\{\s*doc\('(\w+)'\)\s*\}\}")


@dataclass(frozen=True)
class Description:
    """Words on one table; the grain comes first."""

    table: str
    columns: Mapping[str, str]


@cache
def load_descriptions() -> dict[str, Description]:
    """Read the descriptions of every table, staging views included, by bare table name."""
    folders = [PACKAGE / "warehouse" / "staging", PACKAGE / "warehouse" / "core", PACKAGE / "marts"]
    blocks = {
        name: _line(words)
        for folder in folders
        for file in sorted(folder.rglob("*.md"))
        for name, words in BLOCK.findall(file.read_text(encoding="utf-8"))
    }
    found = {}
    for folder in folders:
        for file in sorted(folder.rglob("*.yml")):
            if not file.name.startswith("kpi_"):
                found.update({model["name"]: _description(model, blocks) for model in _models(file)})
    return found


def _models(file: Path) -> list[dict[str, Any]]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document = yaml.load(file.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - both loaders are safe ones
    return list(document.get("models", ()))


def _description(model: Mapping[str, Any], blocks: Mapping[str, str]) -> Description:
    def words(given: str) -> str:
        return _line(REFERENCE.sub(lambda found: blocks[found.group(1)], given))

    return Description(
        words(model.get("description", "")), {c["name"]: words(c.get("description", "")) for c in model["columns"]}
    )


def _line(words: str) -> str:
    return " ".join(words.split())
