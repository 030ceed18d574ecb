"""`shoplake kpi` and `shoplake kpis`."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shoplake.cli.output import as_option, format_option, print_json, print_rows

if TYPE_CHECKING:
    from shoplake.access.kpi_answer import KpiAnswer


@click.command()
@click.argument("name")
@click.option("--from", "from_", metavar="DATE", help="First business day [default: 30 days up to --to].")
@click.option("--to", metavar="DATE", help="Last business day, included [default: the last one with data].")
@click.option("--by", multiple=True, metavar="DIMENSION", help="Group by a dimension; may be repeated.")
@click.option("--where", multiple=True, metavar="DIMENSION=VALUE", help="Keep these values only; may be repeated.")
@click.option("--definition", help="Use one of the KPI's alternatives instead of its default.")
@click.option("--release", help="Ask this release instead of the current one.")
@as_option
@format_option
@click.pass_obj
def kpi(
    home: Path | None,
    name: str,
    from_: str | None,
    to: str | None,
    by: tuple[str, ...],
    where: tuple[str, ...],
    definition: str | None,
    release: str | None,
    user: str | None,
    style: str,
) -> None:
    r"""Answer one KPI, by any of its dimensions. An empty value (channel=) stands for a missing one.

    \b
    Example:
      shoplake kpi total_sales --by region
      shoplake kpi total_sales --from 2026-01-01 --to 2026-01-31 --by store --where category=Drinks
    """
    from shoplake.access.kpi import answer
    from shoplake.access.kpi_asking import filters
    from shoplake.cli.asking import asking
    from shoplake.settings import load_settings

    settings = load_settings(home)
    found = answer(
        settings,
        name,
        from_=from_,
        to=to,
        by=by,
        where=filters(where),
        definition=definition,
        release=release,
        identity=asking(settings, user, "kpi", style),
    )
    if style == "json":
        print_json(found.as_dict())
    elif style == "csv":
        print_rows(found.flat_rows(), style)
    else:
        _print_answer(found, settings.currency)


@click.command()
@click.option("--from", "from_", metavar="DATE", help="First business day [default: 30 days up to --to].")
@click.option("--to", metavar="DATE", help="Last business day, included [default: the last one with data].")
@click.option("--team", help="Only the KPIs of this team.")
@click.option("--release", help="Ask this release instead of the current one.")
@as_option
@format_option
@click.pass_obj
def kpis(
    home: Path | None,
    from_: str | None,
    to: str | None,
    team: str | None,
    release: str | None,
    user: str | None,
    style: str,
) -> None:
    r"""Show the KPIs of every team, each beside the days before. Every KPI can be asked for alone by its name.

    \b
    Example:
      shoplake kpis --team sales
      shoplake kpis --as maria
    """
    from shoplake.access.kpi import answer_all
    from shoplake.cli.asking import asking
    from shoplake.settings import load_settings

    settings = load_settings(home)
    identity = asking(settings, user, "kpi", style)
    answers = answer_all(settings, from_=from_, to=to, release=release, team=team, identity=identity)
    if style == "json":
        print_json([{k: v for k, v in found.as_dict().items() if k != "rows"} for found in answers])
    elif style == "csv":
        print_rows([found.overview() for found in answers], style)
    else:
        for name, group in groupby(answers, key=lambda found: found.team):
            print_rows([_overview(found, settings.currency) for found in group], style, title=name.capitalize())


def _overview(found: KpiAnswer, currency: str) -> dict[str, Any]:
    from shoplake.cli.kpi_figures import change, shown

    total = found.total
    return {
        "kpi": found.kpi,
        "value": shown(total.value, found.unit, currency),
        "previous": shown(total.previous, found.unit, currency),
        "change": change(total.value, total.previous, found.unit),
        "days": f"{found.window.first} to {found.window.last}",
        "note": _note(found),
    }


def _note(found: KpiAnswer) -> str:
    """Say why there is no figure, or how much of the window has data when not all of it has."""
    if found.total.reason:
        return found.total.reason
    seen = found.coverage
    missing = f"{seen.days_with_data} of {seen.days} days with data" if seen.days_with_data < seen.days else ""
    quarantined = f"{seen.rows_quarantined:,} rows quarantined" if seen.rows_quarantined else ""
    return "; ".join(part for part in (missing, quarantined) if part)


def _print_answer(found: KpiAnswer, currency: str) -> None:
    from shoplake.cli.kpi_figures import change, shown, shown_part

    total = found.total
    click.echo(f"{found.title}: {found.definition_title}")
    click.echo(f"{found.window.first} to {found.window.last} ({found.window.days} days)\n")
    click.echo(f"  {shown(total.value, found.unit, currency)}" + (f"  ({total.reason})" if total.reason else ""))
    before = found.previous_window
    why = (
        f"  ({total.previous_reason})"
        if total.previous_reason
        else f"  {change(total.value, total.previous, found.unit)}"
    )
    click.echo(f"  {shown(total.previous, found.unit, currency)} from {before.first} to {before.last}{why}\n")
    parts = [{"part": name, "value": shown_part(name, value)} for name, value in total.parts.items()]
    print_rows(parts, "table", title="Made of")
    if found.alternatives:
        others = [
            {"definition": name, "value": shown(value, found.alternative_units[name], currency)}
            for name, value in found.alternatives.items()
        ]
        print_rows(others, "table", title="Other definitions")
    if found.rows:
        print_rows([_table_row(row, found.unit, currency) for row in found.rows], "table", title="Rows")
    _print_origin(found)


def _table_row(row: dict[str, Any], unit: str, currency: str) -> dict[str, Any]:
    from shoplake.cli.kpi_figures import change, label, shown

    if not row["parts"]:  # a listed single row: its value is one of its columns
        return {k: label(v) for k, v in row.items() if k not in {"value", "parts", "previous"}}
    dimensions = {k: label(v) for k, v in row.items() if k not in {"value", "parts", "previous", "reason"}}
    figures = {
        "value": shown(row["value"], unit, currency),
        "previous": shown(row["previous"], unit, currency),
        "change": change(row["value"], row["previous"], unit),
    }
    return dimensions | figures


def _print_origin(found: KpiAnswer) -> None:
    seen = found.coverage
    reach = f"{found.watermark:%Y-%m-%d %H:%M} UTC" if found.watermark else "nothing landed"
    click.echo(
        f"Data up to {reach}; {seen.days_with_data} of {seen.days} days with data; "
        f"{seen.rows_quarantined:,} rows quarantined.\n"
        f"Release {found.release}; definition {found.definition}, version {found.definition_version}."
    )
