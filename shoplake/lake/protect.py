"""Personal fields at the door: pseudonyms for identifiers, ciphertext for text, before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoplake.keys.duckdb_session import quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shoplake.contracts import Contract, Field
    from shoplake.privacy.vault import Vault

NOBODY = ""
"""The person whose key seals texts that come without an identifier."""


def protect(con: DuckDBPyConnection, contract: Contract, vault: Vault, landable: str) -> str:
    """Give a SELECT like ``landable`` whose personal fields are protected.

    The rows are held in memory (encrypted when they spill), never in a file.

    Args:
        con: the connection that ``landable`` runs on.
        contract: says which fields are personal.
        vault: gives pseudonyms and seals texts.
        landable: SELECT of typed fields, ``_file_id``, ``_line`` and more.

    """
    con.execute(f"create or replace temp table clear_rows as {landable}")
    identifiers = [f for f in contract.fields if f.personal == "identifier"]
    texts = [f for f in contract.fields if f.personal == "text"]
    _note_people(con, vault, identifiers, has_texts=bool(texts))
    joins, columns = [], []
    for number, field in enumerate(identifiers):
        joins.append(f"left join people as p{number} on r.{quoted(field.name)}::varchar = p{number}.identifier")
        columns.append(f"p{number}.pseudonym as {quoted(field.name)}")
    for number, field in enumerate(texts):
        owner = identifiers[0] if identifiers else None
        _seal_texts(con, vault, field, owner, number)
        joins.append(
            f"left join sealed{number} as s{number} on r._file_id = s{number}._file_id and r._line = s{number}._line"
        )
        columns.append(f"s{number}.sealed as {quoted(field.name)}")
    return f"select r.* replace ({', '.join(columns)}) from clear_rows as r {' '.join(joins)}"


def _note_people(con: DuckDBPyConnection, vault: Vault, identifiers: list[Field], *, has_texts: bool) -> None:
    import pyarrow as pa

    found: set[str] = {NOBODY} if has_texts else set()
    for field in identifiers:
        query = f"select distinct {quoted(field.name)}::varchar from clear_rows where {quoted(field.name)} is not null"
        found |= {row[0] for row in con.execute(query).fetchall()}
    known = vault.pseudonyms(found)
    # Not `people`: a table of that name, left by an earlier batch, would be read in its place.
    noted = pa.table(  # noqa: F841 - read by name
        {"identifier": pa.array(known.keys(), pa.string()), "pseudonym": pa.array(known.values(), pa.string())}
    )
    con.execute("create or replace temp table people as select * from noted")


def _seal_texts(con: DuckDBPyConnection, vault: Vault, field: Field, owner: Field | None, number: int) -> None:
    import pyarrow as pa

    whose = f"coalesce({quoted(owner.name)}::varchar, '{NOBODY}')" if owner else f"'{NOBODY}'"
    rows = con.execute(
        f"select r._file_id, r._line, p.pseudonym, r.{quoted(field.name)} from clear_rows as r "
        f"inner join people as p on {whose} = p.identifier where r.{quoted(field.name)} is not null"
    ).fetchall()
    sealed = vault.encrypt_texts([(pseudonym, clear) for _, _, pseudonym, clear in rows])
    chunk = pa.table(  # noqa: F841 - read by name
        {
            "_file_id": pa.array([row[0] for row in rows], pa.string()),
            "_line": pa.array([row[1] for row in rows], pa.int64()),
            "sealed": pa.array(sealed, pa.string()),
        }
    )
    con.execute(f"create or replace temp table sealed{number} as select * from chunk")
