"""`shoplake sql`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from shoplake.cli.output import as_option, format_option, print_json, print_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN_ROWS = 1000


class Shown(NamedTuple):
    """What is printed of an answer."""

    release: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    is_cut: bool


class Server(NamedTuple):
    """Where to ask instead of here."""

    url: str
    token_file: Path | None
    ca: Path | None


@click.command()
@click.argument("statement")
@click.option("--release", help="Ask this release instead of the current one.")
@click.option("--limit", type=click.IntRange(min=1), help=f"Most rows to print [default: {SHOWN_ROWS} in tables].")
@click.option("--url", help="Ask the server at this address (`shoplake serve`), with a token, instead of a home here.")
@click.option("--token-file", type=Path, help="File with the token for --url [default: the variable SHOPLAKE_TOKEN].")
@click.option("--ca", type=Path, help="File of the authority that the server's certificate is from [SHOPLAKE_CA].")
@as_option
@format_option
@click.pass_obj
def sql(
    home: Path | None,
    statement: str,
    release: str | None,
    limit: int | None,
    url: str | None,
    token_file: Path | None,
    ca: Path | None,
    user: str | None,
    style: str,
) -> None:
    r"""Ask a release in SQL: one SELECT, read-only. Tables are named database.table.

    \b
    Example:
      shoplake sql "SELECT region, sum(net_amount) FROM sales.mart_sales__store_day GROUP BY region"
      shoplake sql "SELECT * FROM sales.mart_sales__stock_now" --as maria
      shoplake sql --url https://lake.example:8443 --token-file token "SELECT * FROM sales.mart_sales__stock_now"
    """
    limit = limit or (SHOWN_ROWS if style == "table" else None)
    server = _server(url, token_file, ca, user)
    found = (
        _there(server, statement, release, limit, style)
        if server
        else _here(home, statement, release, limit, user, style)
    )
    if style == "json":
        rows = [list(row) for row in found.rows]
        print_json({"release": found.release, "columns": list(found.columns), "rows": rows})
    else:
        rows_by_name = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
        print_rows(rows_by_name, style, columns=found.columns, empty="No rows.")
    if found.is_cut and (server or style == "table"):
        click.echo(f"Only the first {len(found.rows)} rows are shown; see --limit and --format csv.", err=True)


def _server(url: str | None, token_file: Path | None, ca: Path | None, user: str | None) -> Server | None:
    from shoplake.errors import InputError

    if url is None:
        if token_file or ca:
            raise InputError("--token-file and --ca are for a server.", hint="Name the server by --url.")
        return None
    if user is not None:
        raise InputError("--as is for whoever owns the home.", hint="A server shows what the token's user may see.")
    return Server(url, token_file, ca)


def _here(
    home: Path | None, statement: str, release: str | None, limit: int | None, user: str | None, style: str
) -> Shown:
    from shoplake.access.sql import query
    from shoplake.cli.asking import asking
    from shoplake.settings import load_settings

    settings = load_settings(home)
    identity = asking(settings, user, "sql", style)
    found = query(settings, statement, release=release, limit=limit, identity=identity)
    return Shown(found.release, found.columns, found.rows, found.is_cut)


def _there(server: Server, statement: str, release: str | None, limit: int | None, style: str) -> Shown:
    from shoplake.client import connect

    with connect(server.url, _token(server.token_file), ca=server.ca) as lake:
        if style == "table":
            page = lake.page(statement, release=release, limit=limit)
            return Shown(page.release, page.columns, page.rows, page.is_cut)
        result = lake.sql(statement, release=release, limit=limit)
        return Shown(result.release, result.schema.names, result.rows(), result.is_cut)


def _token(file: Path | None) -> str | None:
    """Read a token from a file; None to take it from the environment.

    Raises:
        InputError: the file cannot be read.

    """
    from shoplake.errors import InputError

    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read ({type(error).__name__}).", hint="It holds a token alone.") from error
