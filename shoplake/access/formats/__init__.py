"""The formats in which an answer leaves: JSON, CSV, Arrow, Parquet, XLSX."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from shoplake.errors import InputError

if TYPE_CHECKING:
    from pyarrow import Table


@dataclass(frozen=True)
class About:
    """What is said of an answer beside its rows."""

    release: str
    query_id: str
    is_cut: bool
    """There were more rows than the limit."""


@dataclass(frozen=True)
class Format:
    """One format: its name in requests, its media type, the ending of its files."""

    name: str
    media_type: str
    extension: str
    module: str

    def write(self, table: Table, about: About) -> Iterator[bytes]:
        """Give the answer's bytes, a piece at a time.

        Raises:
            InputError: the format cannot hold the answer; said before the first piece.

        """
        pieces: Iterator[bytes] = import_module(f"{__name__}.{self.module}").write(table, about)
        return pieces

    def file_name(self, about: About) -> str:
        """Give the name under which a browser saves it."""
        return f"shoplake-{about.release}-{about.query_id[:8]}.{self.extension}"


FORMATS: Mapping[str, Format] = {
    one.name: one
    for one in (
        Format("json", "application/json", "json", "json_page"),
        Format("csv", "text/csv", "csv", "csv_text"),
        Format("arrow", "application/vnd.apache.arrow.stream", "arrows", "arrow_stream"),
        Format("parquet", "application/vnd.apache.parquet", "parquet", "parquet_file"),
        Format(
            "xlsx",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "xlsx",
            "xlsx_file",
        ),
    )
}


def chosen(name: str | None, accept: str) -> Format:
    """Give the format that a request names, or else the one that its ``Accept`` likes best; JSON for no wish.

    Raises:
        InputError: no format of that name, or none that is acceptable.

    """
    if name is not None:
        if name not in FORMATS:
            raise InputError(f"There is no format {name!r}.", hint=f"Formats: {', '.join(FORMATS)}.")
        return FORMATS[name]
    by_type = {one.media_type: one for one in FORMATS.values()}
    by_type |= {"*/*": FORMATS["json"], "application/*": FORMATS["json"], "text/*": FORMATS["csv"]}
    for media_type in _wished(accept) or ["*/*"]:
        if media_type in by_type:
            return by_type[media_type]
    raise InputError("None of the media types in Accept is given here.", hint=f"Formats: {', '.join(FORMATS)}.")


def _wished(accept: str) -> list[str]:
    """List the media types of an ``Accept`` header, the best liked first."""
    found: list[tuple[float, str]] = []
    for part in accept.split(","):
        media_type, *more = (word.strip().lower() for word in part.split(";"))
        weight = next((word[2:] for word in more if word.startswith("q=")), "1")
        try:
            liked = float(weight)
        except ValueError:
            liked = 0.0
        if media_type and liked > 0:
            found.append((-liked, media_type))
    return [media_type for _, media_type in sorted(found, key=lambda pair: pair[0])]
