"""What changed when a file came again with other content."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shoplake.keys.duckdb_session import quoted, text
from shoplake.lake.scan import scan_objects_sql
from shoplake.store.ledger import Restated

if TYPE_CHECKING:
    from shoplake.contracts import Contract
    from shoplake.lake.batch import Lander
    from shoplake.store.ledger import LakeObject, SourceFile


def restated_by(
    lander: Lander, before: SourceFile, old: Sequence[LakeObject], after: SourceFile, new: LakeObject | None
) -> Restated:
    """Compare the landed rows of two versions of a file.

    A row whose key stands in both with other content is changed; texts of persons are sealed anew at each landing and
    so are not compared.
    """
    contract = lander.contract
    counts = lander.con.execute(
        _difference_sql(contract, _rows(lander, before, old), _rows(lander, after, [new] if new else []))
    )
    added, removed, changed = counts.fetchone() or (0, 0, 0)
    return Restated(
        source=contract.source,
        logical_name=after.logical_name,
        old_file_id=before.file_id,
        new_file_id=after.file_id,
        rows_added=int(added),
        rows_removed=int(removed),
        rows_changed=int(changed),
        net_sales_moved=_moved(lander, before, old, after, new),
    )


def _rows(lander: Lander, file: SourceFile, objects: Sequence[LakeObject]) -> str:
    scan = scan_objects_sql(lander.con, lander.keyring, objects, lander.contract, settings=lander.settings)
    return f"(select * from ({scan}) where _file_id = {text(file.file_id)})"


def _difference_sql(contract: Contract, old: str, new: str) -> str:
    fields = ", ".join(quoted(f.name) for f in contract.fields if f.personal != "text")
    key = ", ".join(quoted(name) for name in contract.key)
    same_key = " and ".join(f"gone.{quoted(k)} is not distinct from come.{quoted(k)}" for k in contract.key)

    def only_in(one: str, other: str) -> str:
        rows = f"select {fields} from {one} except all select {fields} from {other}"
        return f"select {key}, count(*) as n from ({rows}) group by all"

    return f"""
        with gone as ({only_in(old, new)}),
        come as ({only_in(new, old)}),
        both_sides as (
            select coalesce(come.n, 0) as come, coalesce(gone.n, 0) as gone
            from gone full join come on {same_key}
        )
        select coalesce(sum(greatest(come - gone, 0)), 0), coalesce(sum(greatest(gone - come, 0)), 0),
            coalesce(sum(least(come, gone)), 0)
        from both_sides
    """


def _moved(
    lander: Lander, before: SourceFile, old: Sequence[LakeObject], after: SourceFile, new: LakeObject | None
) -> str | None:
    measure = lander.contract.measures.get("net_sales")
    if measure is None:
        return None
    total = "(select coalesce(sum(cast(({measure}) as decimal(18, 2))), 0) from {rows})"
    later = total.format(measure=measure, rows=_rows(lander, after, [new] if new else []))
    earlier = total.format(measure=measure, rows=_rows(lander, before, old))
    found = lander.con.execute(f"select {later} - {earlier}").fetchone()
    return str(found[0]) if found else None
