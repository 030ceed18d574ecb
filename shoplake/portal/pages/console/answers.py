"""A question that came by a form, and its answer as rows of a table or as a file."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from shoplake.access.formats import FORMATS
from shoplake.access.formats.type_names import sql_type
from shoplake.access.formats.values import values
from shoplake.errors import InputError
from shoplake.portal.api.sql import SqlQuestion, answered, permitted, remembering

if TYPE_CHECKING:
    from starlette.responses import Response

    from shoplake.access.sandbox import Answer
    from shoplake.portal.pages.visitors import Visitor

FILES = ("csv", "xlsx", "parquet")
NUMBERS = re.compile(r"U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?|DECIMAL\(\d+,\s?\d+\)|DOUBLE|FLOAT")


@dataclass(frozen=True)
class Shown:
    """An answer as a page shows it."""

    release: str
    is_cut: bool
    columns: tuple[tuple[str, str, bool], ...]
    """Name, SQL type, and whether it holds numbers."""
    rows: tuple[tuple[Any, ...], ...]
    ms: float


def question_of(given: Mapping[str, str], page_rows: int) -> SqlQuestion:
    """Read the fields of the form.

    Raises:
        InputError: they ask nothing that can be answered.

    """
    asked = {"sql": given.get("sql", "").strip(), "release": given.get("release") or None, "limit": page_rows}
    try:
        return SqlQuestion.model_validate(asked)
    except ValidationError:
        raise InputError("There is no query to run.", hint="Write one SELECT.") from None


async def file_of(visitor: Visitor, asked: SqlQuestion, kind: str) -> Response:
    """Give the answer as a file.

    Raises:
        AccessDenied: the person may not export from SQL; it is on record.
        QueryError: the engine refuses the query.

    """
    service, form = visitor.service, FORMATS[kind]
    question = permitted(service, visitor.identity, asked, form)
    act = partial(answered, service, visitor.identity, question, secrets.token_hex(8), form)
    return await service.asking.run(act)


async def rows_of(visitor: Visitor, asked: SqlQuestion) -> Shown:
    """Give the answer as rows; the question goes into the person's history.

    Raises:
        AccessDenied: the person may not see what they ask for.
        QueryError: the engine refuses the query.

    """
    service, query_id = visitor.service, secrets.token_hex(8)
    question = permitted(service, visitor.identity, asked, FORMATS["json"])

    def act() -> Shown:
        return _shown(service.sandbox.answer(visitor.identity, question, query_id=query_id))

    with remembering(service, visitor.identity, asked.sql, query_id) as rows:
        found = await service.asking.run(act)
        rows.append(len(found.rows))
    return found


def _shown(answer: Answer) -> Shown:
    table = answer.table
    kinds = [sql_type(field.type) for field in table.schema]
    columns = [values(column.combine_chunks()) for column in table.columns]
    return Shown(
        release=answer.release,
        is_cut=answer.is_cut,
        columns=tuple((field.name, kind, is_number(kind)) for field, kind in zip(table.schema, kinds, strict=True)),
        rows=tuple(zip(*columns, strict=True)),
        ms=answer.ms,
    )


def is_number(kind: str) -> bool:
    """Say whether values of an SQL type are numbers."""
    return NUMBERS.fullmatch(kind) is not None
