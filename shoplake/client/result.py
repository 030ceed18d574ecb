"""What comes back: rows as they are sent, or a page of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from shoplake.client.refusal import lost
from shoplake.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa
    from requests import Response


class Result:
    """The rows of an answer, as they come in. Read them once: as batches, or all as `arrow`, `df` or `rows`."""

    def __init__(self, answer: Response) -> None:
        import pyarrow as pa

        self._answer, self._table = answer, None
        self.release: str = answer.headers.get("Shoplake-Release", "")
        self.query_id: str = answer.headers.get("Shoplake-Query", "")
        self.is_cut: bool = answer.headers.get("Shoplake-Cut") == "true"
        """There were more rows than the limit."""
        answer.raw.decode_content = True
        self._reader = self._guarded(lambda: pa.ipc.open_stream(answer.raw))
        self.schema: pa.Schema = self._reader.schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        if self._table is not None:
            yield from self._table.to_batches()
            return
        with self:
            while (batch := self._guarded(self._next)) is not None:
                yield batch

    def __enter__(self) -> Result:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the rest unread; the server stops sending."""
        self._answer.close()

    def arrow(self) -> pa.Table:
        """Give all rows as an Arrow table."""
        import pyarrow as pa

        if self._table is None:
            self._table = pa.Table.from_batches(list(self), self.schema)
        return self._table

    def df(self, **more: Any) -> Any:  # noqa: ANN401 - pandas is not a dependency
        """Give all rows as a pandas data frame; money stays exact (Decimal).

        Args:
            more: as ``pyarrow.Table.to_pandas`` takes it.

        Raises:
            InputError: pandas is not installed.

        """
        try:
            import pandas  # noqa: F401 - only to say that it is missing
        except ImportError as error:
            raise InputError("pandas is not installed.", hint="`pip install pandas`, or use .arrow().") from error
        return self.arrow().to_pandas(**more)

    def rows(self) -> list[tuple[Any, ...]]:
        """Give all rows as tuples of Python values.

        Raises:
            InputError: a value that Python has no type for, such as a date beyond the year 9999.

        """
        try:
            columns = [column.to_pylist() for column in self.arrow().columns]
        except (OverflowError, ValueError) as error:
            raise InputError(f"Python cannot hold a value of this answer: {error}.", hint="Use .arrow().") from error
        return list(zip(*columns, strict=True)) if columns else []

    def _next(self) -> pa.RecordBatch | None:
        try:
            return self._reader.read_next_batch()
        except StopIteration:
            self._answer.raw.read()  # to the very end, so that the connection serves the next question
            return None

    def _guarded(self, read: Callable[[], Any]) -> Any:  # noqa: ANN401 - what it reads
        """Read on; a connection that is interrupted or lost is closed, so that the server stops."""
        import pyarrow as pa
        import requests
        import urllib3

        try:
            return read()
        except (requests.RequestException, urllib3.exceptions.HTTPError, pa.ArrowInvalid, OSError) as error:
            self._answer.close()
            raise lost(error, "the server") from error
        except BaseException:
            self._answer.close()
            raise


class Page:
    """A page of rows: values exact, times as ISO text in UTC."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        self.release: str = said["release"]
        self.query_id: str = said["query_id"]
        self.is_cut: bool = said["is_cut"]
        """There were more rows than the limit."""
        self.columns = tuple(column["name"] for column in said["columns"])
        self.types = tuple(column["type"] for column in said["columns"])
        convert = [_reader_of(kind) for kind in self.types]
        self.rows = [
            tuple(value if value is None else read(value) for read, value in zip(convert, row, strict=True))
            for row in said["rows"]
        ]


def _reader_of(sql_type: str) -> Any:  # noqa: ANN401 - a function from JSON to the type's value
    if sql_type.startswith("DECIMAL") and not sql_type.endswith("]"):
        return lambda value: Decimal(value) if isinstance(value, str) else value
    if sql_type in {"BIGINT", "UBIGINT"}:
        return int
    return float if sql_type in {"FLOAT", "DOUBLE"} else _same


def _same(value: object) -> object:
    return value
