"""`shoplake sql`."""

from __future__ import annotations

from pathlib import Path

import click

from shoplake.cli.output import as_option, format_option, print_json, print_rows

SHOWN_ROWS = 1000


@click.command()
@click.argument("statement")
@click.option("--release", help="Ask this release instead of the current one.")
@click.option("--limit", type=click.IntRange(min=1), help=f"Most rows to print [default: {SHOWN_ROWS} in tables].")
@as_option
@format_option
@click.pass_obj
def sql(
    home: Path | None, statement: str, release: str | None, limit: int | None, user: str | None, style: str
) -> None:
    r"""Ask a release in SQL: one SELECT, read-only. Tables are named database.table.

    \b
    Example:
      shoplake sql "SELECT region, sum(net_amount) FROM sales.mart_sales__store_day GROUP BY region"
      shoplake sql "SELECT * FROM sales.mart_sales__stock_now" --as maria
    """
    from shoplake.access.sql import query
    from shoplake.cli.asking import asking
    from shoplake.settings import load_settings

    settings = load_settings(home)
    identity = asking(settings, user, "sql", style)
    limit = limit or (SHOWN_ROWS if style == "table" else None)
    result = query(settings, statement, release=release, limit=limit, identity=identity)
    rows = [dict(zip(result.columns, row, strict=True)) for row in result.rows]
    if style == "json":
        print_json(
            {
                "release": result.release,
                "columns": list(result.columns),
                "rows": [list(r) for r in result.rows],
            }
        )
        return
    print_rows(rows, style, columns=result.columns, empty="No rows.")
    if style == "table" and result.is_cut:
        click.echo(f"Only the first {limit} rows are shown; see --limit and --format csv.", err=True)
