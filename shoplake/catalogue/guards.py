"""What guards the data: the rules of contracts, at landing, and the models' tests, before a release."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoplake.files import read_yaml

if TYPE_CHECKING:
    from shoplake.contracts import Contract
    from shoplake.pipeline.project import Project


@dataclass(frozen=True)
class Guard:
    """One rule or test."""

    name: str
    title: str
    """What holds, in words."""
    code: str
    """The expression, or the columns that it is about."""
    is_warning: bool
    """It is told when it breaks, and stops nothing."""
    reads: tuple[str, ...] = ()
    """Tables that a test reads: it runs when one of them was made anew."""


def guards_of_contract(contract: Contract) -> tuple[Guard, ...]:
    """Give the rules of a source."""
    return tuple(
        Guard(rule.name, rule.description or _words(rule.name), rule.broken, rule.severity == "warning")
        for rule in contract.rules
    )


def guards_of_models(project: Project) -> dict[str, tuple[Guard, ...]]:
    """Give the tests of each model, by its name."""
    written = dict(_written())
    found: dict[str, list[Guard]] = {}
    for audit in project.audits:
        kind, arguments = written.get(audit.name) or _unnamed(audit.name, audit.table)
        title = _words(audit.name.partition("__")[2]) if "__" in audit.name and audit.name in written else _words(kind)
        code = _code(arguments)
        found.setdefault(audit.table, []).append(Guard(audit.name, title, code, audit.is_warning, audit.reads))
    return {table: tuple(sorted(guards, key=lambda one: one.name)) for table, guards in found.items()}


def _written() -> Iterator[tuple[str, tuple[str, Mapping[str, Any]]]]:
    """Give kind and arguments of every named test of the models' files, by its name."""
    from shoplake.pipeline.project import PROJECT

    for folder in ("warehouse", "marts"):
        for file in sorted((PROJECT / folder).rglob("*.yml")):
            for model in (read_yaml(file) or {}).get("models", ()):
                for test in model.get("data_tests", ()):
                    if isinstance(test, dict):
                        ((kind, said),) = test.items()
                        yield said.get("name", ""), (kind, said.get("arguments", {}))


def _unnamed(name: str, table: str) -> tuple[str, Mapping[str, Any]]:
    """Give the kind of a test that dbt has named: by its kind, then its table."""
    return name.partition(f"_{table}")[0], {}


def _code(arguments: Mapping[str, Any]) -> str:
    """Give the arguments of a test as they stand in the models' files."""
    shown = [", ".join(map(str, value)) if isinstance(value, list) else str(value) for value in arguments.values()]
    return " · ".join(shown)


def _words(name: str) -> str:
    return name.rsplit("__", maxsplit=1)[-1].replace("_", " ").strip().capitalize()
