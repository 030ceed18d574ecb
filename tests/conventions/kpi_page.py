"""Makes ``docs/kpis.md`` out of the KPI files: ``python -m tests.conventions.kpi_page``."""

from __future__ import annotations

from pathlib import Path

from shoplake.access.kpi_definition import Kpi, load_kpis

PAGE = Path(__file__).parents[2] / "docs" / "kpis.md"
HEAD = """# The KPIs

Each is defined once, in `shoplake/marts/<team>/kpi_<name>.yml`; this page is made from those files.
`shoplake kpi NAME` answers one, `--definition` chooses an alternative, `--by` and `--where` use its dimensions. A
figure that the data cannot support is `null` with its reason.
"""


def page() -> str:
    """Give the text that the page must have."""
    return HEAD + "".join(_section(kpi) for kpi in load_kpis().values())


def _section(kpi: Kpi) -> str:
    definitions = "\n".join(
        f"| `{name}`{' (default)' if name == kpi.default_definition else ''} | {d.title} | {d.unit} | `{d.value}` "
        f"| {d.reason_when_null} |"
        for name, d in kpi.definitions.items()
    )
    return f"""
## {kpi.title} (`{kpi.name}`, {kpi.team})

{kpi.question}

{kpi.formula.strip()}

| definition | what | unit | of its parts | null when |
|---|---|---|---|---|
{definitions}

Parts: {", ".join(f"`{name}`" for name in kpi.parts)}. Dimensions: {", ".join(f"`{name}`" for name in kpi.dimensions)}.
Owner: {kpi.owner}. Version {kpi.version}.
"""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
