"""`shoplake consume`."""

from __future__ import annotations

from pathlib import Path

import click

from shoplake.cli.output import format_option, print_json, print_rows
from shoplake.cli.stopping import stops_on_signals

COLUMNS = (
    "source",
    "topic",
    "batches",
    "rows_read",
    "rows_landed",
    "rows_quarantined",
    "rows_duplicate",
    "reasons",
)


@click.command()
@click.option("--source", "sources", multiple=True, help="A source whose topic to read; else all in kafka_topics.")
@click.option("--once", is_flag=True, help="End when all has landed that the topics hold now.")
@format_option
@click.pass_obj
def consume(home: Path | None, sources: tuple[str, ...], once: bool, style: str) -> None:
    r"""Land what comes in the Kafka topics that the settings name, until stopped by Ctrl-C or SIGTERM.

    Any number of calls share the partitions. How far each has landed stands in the ledger, in the transaction that
    lands it: whatever is killed, each message lands once.

    \b
    Example:
      shoplake consume --source web_events
    """
    from shoplake.garbage import collect_rarely
    from shoplake.lake.consuming import consume as consume_topics
    from shoplake.settings import load_settings

    collect_rarely()
    is_stopping = stops_on_signals()  # a second signal ends it at once, which loses nothing either
    results = consume_topics(
        load_settings(home),
        sources,
        once=once,
        is_stopping=is_stopping,
        say=lambda text: click.echo(text, err=True),
    )
    rows = [result.as_dict() for result in results]
    if style == "json":
        print_json(rows)
    else:
        print_rows(rows, style, columns=COLUMNS, empty="No topic was read.")
