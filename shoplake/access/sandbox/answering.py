"""Asks a worker, and reads what it says within the limits, whatever it says."""

from __future__ import annotations

import pickle
import time
from typing import TYPE_CHECKING

import msgspec

from shoplake.access.sandbox.frames import (
    ASKED,
    DONE,
    FAILED,
    MOST_WORDS_BYTES,
    ROWS,
    Asked,
    Done,
    Ended,
    Failed,
    receive,
    send_words,
)
from shoplake.errors import QueryTimeout, WorkerLost

if TYPE_CHECKING:
    import pyarrow as pa

    from shoplake.access.sandbox.question import Question
    from shoplake.access.sandbox.sessions import Worker
    from shoplake.settings import Settings

SLACK = 1.25
"""A stream may be so much larger than the rows in it, and by so many bytes."""
SLACK_BYTES = 1 << 20


class Refused(Exception):  # noqa: N818 - what the engine did
    """The worker answers that the query fails."""

    def __init__(self, failed: Failed) -> None:
        """Carry what it said."""
        super().__init__(failed.message)
        self.kind, self.message = failed.kind, failed.message


def asked(settings: Settings, question: Question, *, reads_tables: bool) -> tuple[Asked, float]:
    """Give what a worker is asked, and the seconds that it has."""
    parameters = question.parameters
    given = dict(parameters) if hasattr(parameters, "keys") else list(parameters)
    seconds = min(question.seconds or settings.sandbox_seconds, settings.sandbox_seconds)
    threads = settings.sandbox_threads if reads_tables else 1
    return Asked(
        question.sql,
        pickle.dumps(given),
        question.database,
        _least(question.row_limit, settings.sandbox_rows),
        _least(question.byte_limit, settings.sandbox_bytes),
        int(seconds * threads) + 5,
        threads,
    ), seconds


def answered(worker: Worker, words: Asked, seconds: float) -> tuple[pa.Table, bool]:
    """Have a worker answer.

    Returns:
        The rows, and whether there were more.

    Raises:
        Refused: the query fails.
        QueryTimeout: the time is up.
        WorkerLost: the worker has gone, or says what it may not.

    """
    import pyarrow as pa

    deadline, most = time.monotonic() + seconds, int(words.byte_limit * SLACK) + SLACK_BYTES
    chunks: list[bytearray] = []
    try:
        worker.sock.settimeout(seconds)
        send_words(worker.sock, ASKED, words)
        while True:
            kind, data = receive(worker.sock, max(most, MOST_WORDS_BYTES), deadline)
            if kind != ROWS:
                break
            most -= len(data)
            if most < 0:
                raise Ended("more than was asked for")
            chunks.append(data)
        if kind == FAILED:
            raise Refused(msgspec.msgpack.decode(data, type=Failed))
        if kind != DONE:
            raise Ended("a word that is none")
        table = _table(chunks, words.row_limit)
        return table, msgspec.msgpack.decode(data, type=Done).is_cut
    except TimeoutError as error:
        raise QueryTimeout(
            f"The query took longer than {seconds:g} seconds, and was ended.", hint="Ask for less, or for fewer days."
        ) from error
    except (Ended, OSError, msgspec.DecodeError, pa.ArrowException) as error:
        raise WorkerLost(
            "The process that answered the query ended before it had.",
            hint="The query may need more memory than it may use; others are not touched by it.",
        ) from error


def _table(chunks: list[bytearray], row_limit: int) -> pa.Table:
    import pyarrow as pa

    with pa.ipc.open_stream(pa.py_buffer(b"".join(chunks))) as stream:
        table = stream.read_all()
    try:
        table.validate(full=True)
    except pa.ArrowInvalid as error:
        raise Refused(Failed("limit", "The answer holds a value that Arrow has no room for; cast it.")) from error
    if table.num_rows > row_limit:
        raise Ended("more rows than were asked for")
    return table


def _least(given: int | None, most: int) -> int:
    return most if given is None else max(0, min(given, most))
