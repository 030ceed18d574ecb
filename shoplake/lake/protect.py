"""Personal fields at the door: pseudonyms for identifiers, ciphertext for text, before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoplake.keys.duckdb_session import quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shoplake.contracts import Contract, Field
    from shoplake.privacy.vault import People, Vault

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
    return protected_rows(con, contract, vault)


def protected_rows(con: DuckDBPyConnection, contract: Contract, vault: Vault) -> str:
    """Give a SELECT of the temporary table ``clear_rows`` whose personal fields are protected."""
    identifiers = [f for f in contract.fields if f.personal == "identifier"]
    texts = [f for f in contract.fields if f.personal == "text"]
    people = _note_people(con, vault, identifiers, has_texts=bool(texts))
    joins, columns = [], []
    for number, field in enumerate(identifiers):
        joins.append(f"left join people as p{number} on {_held(field, identifiers)} = p{number}.identifier")
        columns.append(f"p{number}.pseudonym as {quoted(field.name)}")
    for number, field in enumerate(texts):
        _seal_texts(con, vault, people, field, identifiers, number)
        joins.append(f"left join sealed{number} as s{number} on r.rowid = s{number}.place")
        columns.append(f"s{number}.sealed as {quoted(field.name)}")
    return f"select r.* replace ({', '.join(columns)}) from clear_rows as r {' '.join(joins)}"


def forget_clear(con: DuckDBPyConnection, contract: Contract) -> None:
    """Drop what `protect` and `protected_rows` hold in memory: the clear rows, and whose pseudonym is whose."""
    sealed = (f"sealed{number}" for number in range(len(contract.fields)))
    con.execute("; ".join(f"drop table if exists {name}" for name in ("clear_rows", "people", *sealed)))


def _are_whole(identifiers: list[Field]) -> bool:
    return all(field.type == "integer" for field in identifiers)


def _held(field: Field, identifiers: list[Field]) -> str:
    """Give an identifier in the type that ``people`` has it in: whole numbers join faster than text."""
    column = f"r.{quoted(field.name)}"
    return column if _are_whole(identifiers) else f"{column}::varchar"


def _note_people(con: DuckDBPyConnection, vault: Vault, identifiers: list[Field], *, has_texts: bool) -> People:
    """Fill the temporary table ``people``: place among them, identifier as the rows hold it, and pseudonym."""
    import pyarrow as pa

    found: set[str] = {NOBODY} if has_texts else set()
    for field in identifiers:
        query = f"select distinct {quoted(field.name)}::varchar from clear_rows where {quoted(field.name)} is not null"
        found.update(con.execute(query).to_arrow_table().column(0).to_pylist())
    known = vault.people(found, have_texts=has_texts)
    # Not `people`: a table of that name, left by an earlier batch, would be read in its place.
    noted = pa.table(  # noqa: F841 - read by name
        {
            "place": pa.array(range(len(known.names)), pa.int32()),
            "identifier": pa.array(known.identifiers, pa.string()),
            "pseudonym": pa.array(known.names, pa.string()),
        }
    )
    identifier = "try_cast(identifier as bigint)" if _are_whole(identifiers) else "identifier"
    query = f"select place, {identifier} as identifier, pseudonym from noted"
    con.execute(f"create or replace temp table people as {query}")
    return known


def _seal_texts(
    con: DuckDBPyConnection, vault: Vault, people: People, field: Field, identifiers: list[Field], number: int
) -> None:
    """Fill the temporary table ``sealed<number>``: the place of a row in ``clear_rows`` and its text, sealed."""
    import pyarrow as pa

    nobody = people.identifiers.index(NOBODY)
    join = f"left join people as p on {_held(identifiers[0], identifiers)} = p.identifier" if identifiers else ""
    whose = "p.place" if identifiers else "null"
    rows = con.execute(
        f"select r.rowid as place, coalesce({whose}, {nobody}) as person, encode(r.{quoted(field.name)}) as clear "
        f"from clear_rows as r {join} where r.{quoted(field.name)} is not null order by person"
    ).to_arrow_table()
    sealed = vault.seal_texts(people, rows["person"].to_pylist(), rows["clear"].to_pylist())
    chunk = pa.table({"place": rows["place"], "sealed": pa.array(sealed, pa.binary())})  # noqa: F841 - read by name
    con.execute(f"create or replace temp table sealed{number} as select place, base64(sealed) as sealed from chunk")
