"""The engine's own keywords and functions, for completion."""

from __future__ import annotations

from functools import cache
from typing import Any

FUNCTIONS = """
select function_name, coalesce(any_value(description), '') from duckdb_functions()
where function_type in ('scalar', 'aggregate', 'macro') and regexp_full_match(function_name, '[a-z][a-z0-9_]*')
group by all order by all
"""
KEYWORDS = "select distinct keyword_name from duckdb_keywords() order by all"


@cache
def engine_words() -> dict[str, list[Any]]:
    """Give ``keywords`` and ``functions`` [{``name``, ``doc``}]."""
    import duckdb

    con = duckdb.connect(":memory:")
    try:
        keywords = [name for (name,) in con.execute(KEYWORDS).fetchall()]
        functions = [{"name": name, "doc": doc} for name, doc in con.execute(FUNCTIONS).fetchall()]
    finally:
        con.close()
    return {"keywords": keywords, "functions": functions}
