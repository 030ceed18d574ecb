"""Opens texts of persons within SQL: what a build shows in clear is in clear in memory alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shoplake.privacy.vault import Vault

FUNCTION = "open_text"


def add_open_text(con: DuckDBPyConnection, vault: Vault) -> None:
    """Let SQL call ``open_text(pseudonym, sealed)``: the text in clear, or null for a person who was erased.

    DuckDB hands over some thousand rows at a time, and the vault looks all of their persons up at once.
    """
    import pyarrow as pa
    from duckdb.func import ARROW, SPECIAL

    def open_texts(names: Any, sealed: Any) -> Any:  # noqa: ANN401 - arrays of pyarrow; DuckDB evaluates these words
        pairs = list(zip(names.to_pylist(), sealed.to_pylist(), strict=True))
        places = [place for place, pair in enumerate(pairs) if None not in pair]
        opened: list[str | None] = [None] * len(pairs)
        for place, text in zip(places, vault.decrypt_texts([pairs[place] for place in places]), strict=True):
            opened[place] = text
        return pa.array(opened, pa.string())

    con.create_function(FUNCTION, open_texts, ["VARCHAR", "VARCHAR"], "VARCHAR", type=ARROW, null_handling=SPECIAL)
