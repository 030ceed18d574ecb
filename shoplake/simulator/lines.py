"""Columns to lines of text, CSV or JSON, a whole file at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from shoplake.simulator.world import Ints


def csv_lines(columns: Sequence[Any]) -> list[str]:
    """Write Arrow columns as CSV lines; nulls are empty. No text may need quotes."""
    if not len(columns[0]):
        return []
    table = pa.table(list(columns), names=[str(place) for place in range(len(columns))])
    sink = pa.BufferOutputStream()
    options = csv.WriteOptions(include_header=False, quoting_style="none", batch_size=65_536)
    csv.write_csv(table, sink, options)
    lines: list[str] = sink.getvalue().to_pybytes().decode().split("\n")
    return lines[:-1]


def json_lines(fields: Mapping[str, Any]) -> list[str]:
    """Write Arrow columns of ready JSON tokens as one object a row; a null token is a JSON null."""
    parts: list[Any] = []
    for place, (name, tokens) in enumerate(fields.items()):
        parts += [f'{", " if place else "{"}"{name}": ', tokens.cast(pa.string()).fill_null("null")]
    lines: list[str] = pc.binary_join_element_wise(*parts, "}", "").to_pylist()
    return lines


def chosen(texts: Sequence[str | None], places: Ints) -> pa.StringArray:
    """Give for each row the JSON token of the text at its place; None is null."""
    tokens = [None if text is None else json.dumps(text, ensure_ascii=False) for text in texts]
    return pa.array(tokens, pa.string()).take(pa.array(places))


def quoted(texts: pa.StringArray) -> pa.StringArray:
    """Put Arrow texts that need no escapes between quotes."""
    return pc.binary_join_element_wise('"', texts, '"', "")


def milliseconds(moments: Ints) -> pa.StringArray:
    """Write epoch milliseconds as seconds with their fraction."""
    return pa.array(np.asarray(moments) / 1000).cast(pa.string())
