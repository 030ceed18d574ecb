"""Files of sales and of web events in any shape, and what the readers make of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shoplake.contracts import Contract, load_contracts
from shoplake.sources.lexers import TextRows, lex
from shoplake.sources.shape import Shape, look

POS, WEB = load_contracts()["pos"], load_contracts()["web_events"]
HEADER = "transaction_id,store_id,product_id,quantity,revenue,discount_applied,timestamp"


def sale(transaction: str) -> str:
    """Give a line of a sales file."""
    return f"{transaction},1,2,3,9.50,,1767225600"


@dataclass(frozen=True)
class Cut:
    """One row as a reader gives it."""

    line: int
    values: dict[str, str | None]
    broken: str | None
    raw: str
    kinds: str


def look_at(folder: Path, content: str | bytes, contract: Contract = POS) -> Shape:
    """Write a file and look at it."""
    path = folder / "offered"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return look(path, contract)


def chunks(folder: Path, content: str | bytes, contract: Contract = POS) -> list[TextRows]:
    """Write a file and cut it with the careful reader."""
    return list(lex(look_at(folder, content, contract), [field.name for field in contract.fields]))


def cut(folder: Path, content: str | bytes, contract: Contract = POS) -> list[Cut]:
    """Write a file and give its rows."""
    names = [field.name for field in contract.fields]
    return [
        Cut(
            chunk.lines[n],
            {name: column[n] for name, column in zip(names, chunk.columns, strict=True)},
            chunk.broken[n],
            chunk.raw[n],
            chunk.kinds[n] if chunk.kinds is not None else "",
        )
        for chunk in chunks(folder, content, contract)
        for n in range(len(chunk.lines))
    ]


def outcomes(rows: list[Cut]) -> list[tuple[int, str | None]]:
    """Give line and first field of each row, or why it cannot be used."""
    return [(row.line, row.broken or next(iter(row.values.values()))) for row in rows]
