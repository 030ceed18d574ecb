"""Makes hostile statements: by hand-written patterns, from the engine's own catalogue, and by mutation."""

from __future__ import annotations

import logging
import random
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlglot
from sqlglot import exp

from tests.access.sandbox.attacks import BOMBS, LOOKING, PATHS, READING, WRITING

logging.getLogger("sqlglot").setLevel(logging.CRITICAL)  # It tells of each statement that it does not know.
Rows = Callable[[str], list[dict[str, Any]]]
OUT = "/tmp/shoplake-hostile-out"  # noqa: S108 - named, never made
NUMBERS = ["0", "1", "-1", "9223372036854775807", "-9223372036854775808", "1e300", "'nan'::double", "2147483648"]
TIMES = ["now()", "'infinity'::timestamp", "date '0001-01-01'", "interval 1000000 years", "time '23:59:59'"]
NESTED = ["[]", "[1, null]", "['a', 'b']", "[[1], [2]]", "{'a': 1}", "map {'a': 'b'}", "row(1, 2)", "[null]"]
OTHERS = ["null", "true", "x -> x", "'\\xAA'::blob", "'{\"a\": [1]}'::json", "uuid()", "'101'::bit", "*"]


@dataclass(frozen=True)
class Targets:
    """What attacks of one person aim at."""

    table: str
    hidden: Sequence[str]
    paths: Sequence[str]
    """Real files of the home that are none of theirs."""


class Corpus:
    """All statements against one person's session; the same for the same seed."""

    def __init__(self, rows: Rows, targets: Targets, seed: int) -> None:
        self._rows, self._targets, self._random = rows, targets, random.Random(seed)

    def statements(self) -> list[str]:
        """Give at least 10,000 different statements, bombs not among them."""
        written = [*self._written()]
        made = [*self._functions(), *self._pragmas(), *self._settings(), *self._words()]
        return list(dict.fromkeys([*written, *made, *self._mutated([*written, *made])]))

    def bombs(self) -> list[str]:
        return [*BOMBS]

    @cached_property
    def _paths(self) -> list[str]:
        return [path.replace("{{", "{").replace("}}", "}") for path in PATHS] + list(self._targets.paths)

    def _filled(self, pattern: str, path: str) -> str:
        return pattern.format(
            path=path.replace("'", "''"),
            own=str(self._random.randrange(20)),
            out=OUT,
            table=self._targets.table,
            hidden=self._random.choice(self._targets.hidden),
        )

    def _written(self) -> Iterator[str]:
        for pattern in READING:
            yield from (self._filled(pattern, path) for path in self._paths)
        for pattern in WRITING:
            yield from (self._filled(pattern, path) for path in self._random.sample(self._paths, 4))
        for pattern in LOOKING:
            yield from (self._filled(pattern, path) for path in self._random.sample(self._paths, 6))

    def _functions(self) -> Iterator[str]:
        listed = self._rows(
            "select distinct function_name as name, function_type as kind, parameters, parameter_types as types,"
            " varargs from duckdb_functions() order by all"
        )
        for function in listed:
            name = f'"{function["name"]}"'
            for _ in range(2 if function["kind"] in {"scalar", "aggregate"} else 8):
                given = ", ".join(self._arguments(function))
                if function["kind"] == "table":
                    yield f"select * from {name}({given})"
                    yield f"call {name}({given})"
                elif function["kind"] == "aggregate":
                    yield f"select {name}({given}) from {self._random.choice([self._targets.table, 'range(10) t(a)'])}"
                else:
                    yield f"select {name}({given})"

    def _arguments(self, function: Mapping[str, Any]) -> Iterator[str]:
        named = [*zip(function["parameters"] or [], function["types"] or [], strict=False)]
        for name, kind in named:
            if name.startswith("col") or function["kind"] != "table":
                yield self._value(kind or "ANY")
            elif self._random.random() < 0.1:
                yield f"{name} = {self._value(kind or 'ANY')}"
        if function["varargs"]:
            yield from (self._value(function["varargs"]) for _ in range(self._random.randrange(3)))

    def _value(self, kind: str) -> str:
        if kind.endswith("[]") and self._random.random() < 0.8:
            return f"[{self._value(kind[:-2])}]"
        if "CHAR" in kind or kind == "JSON":
            return self._text()
        if "INT" in kind or kind in {"DOUBLE", "FLOAT", "DECIMAL", "HUGEINT", "POINTER"}:
            return self._random.choice(NUMBERS)
        if kind == "BOOLEAN":
            return self._random.choice(["true", "false", "null"])
        if "TIME" in kind or kind in {"DATE", "INTERVAL"}:
            return self._random.choice(TIMES)
        return self._random.choice([*NUMBERS, *TIMES, *NESTED, *OTHERS, self._text()])

    def _text(self) -> str:
        secret = self._random.choice(
            [
                *self._paths,
                self._targets.table,
                *self._targets.hidden,
                "k0",
                "allowed_paths",
                "SHOPLAKE_SANDBOX_CANARY",
                "%s%n%x",
                "(a+)+$",
                "x" * 1000,
                "select * from " + self._random.choice(self._targets.hidden),
            ]
        )
        return "'" + secret.replace("'", "''") + "'"

    def _pragmas(self) -> Iterator[str]:
        for row in self._rows(
            "select distinct function_name as name from duckdb_functions() where function_type = 'pragma'"
        ):
            yield f"pragma {row['name']}"
            yield from (f"pragma {row['name']}({self._text()})" for _ in range(3))
            yield from (f"pragma {row['name']} = {self._text()}" for _ in range(2))
            yield f"call pragma_{row['name']}()"

    def _settings(self) -> Iterator[str]:
        for row in self._rows("select name from duckdb_settings() order by name"):
            name = row["name"]
            yield f"select current_setting('{name}')"
            yield f"reset {name}"
            for verb in ("set", "set global", "set session", "pragma"):
                yield f"{verb} {name} = {self._random.choice([self._text(), 'true', 'false', *NUMBERS[:3]])}"

    def _words(self) -> Iterator[str]:
        """Begin statements with every word that the parser knows."""
        for row in self._rows("select keyword_name as name from duckdb_keywords() order by name"):
            yield f"{row['name']} {self._targets.table}"
            yield f"{row['name']} {self._text()}"

    def _mutated(self, seeds: Sequence[str]) -> Iterator[str]:
        for sql in self._random.sample(seeds, min(3500, len(seeds))):
            yield self._random.choice(TEXTUAL)(self._random, sql)
        trees = [
            tree for sql in self._random.sample(seeds, min(2500, len(seeds))) if (tree := _parsed(sql)) is not None
        ]
        for tree in trees:
            for change in self._random.sample(STRUCTURAL, 2):
                yield from self._changed(change, tree)

    def _changed(
        self, change: Callable[[Any, exp.Expression, str, str], exp.Expression], tree: exp.Expression
    ) -> Iterator[str]:
        try:
            changed = change(self._random, tree.copy(), self._random.choice(self._paths), self._targets.table)
            yield changed.sql(dialect="duckdb")
        except (sqlglot.errors.SqlglotError, ValueError, TypeError, AttributeError, RecursionError):
            return  # Not every tree can be changed in every way.


def _parsed(sql: str) -> exp.Expression | None:
    try:
        return sqlglot.parse_one(sql, dialect="duckdb")
    except (sqlglot.errors.SqlglotError, RecursionError):
        return None


# Mutations of the text.


def _commented(random_: random.Random, sql: str) -> str:
    return sql.replace(" ", random_.choice(["/**/", " -- x\n", "/* ; */ ", "\t\n", "\u00a0", "\u200b ", "\x0b"]))


def _recased(random_: random.Random, sql: str) -> str:
    return "".join(random_.choice([c.upper(), c.lower()]) for c in sql)


def _doubled(random_: random.Random, sql: str) -> str:
    return random_.choice(["select 1; {0}", "{0}; select 1", ";{0}", "{0};;", "select 1;/*{0}*/{0}", "{0}\0"]).format(
        sql
    )


def _wrapped(random_: random.Random, sql: str) -> str:
    return random_.choice(
        [
            "explain {0}",
            "explain analyze {0}",
            "explain (analyze, format json) {0}",
            "with x as ({0}) select * from x",
            "with x as materialized ({0}) from x",
            "select * from ({0})",
            "select ({0})",
            "prepare p as {0}",
            "create table x as {0}",
            "create macro m() as table {0}",
            "copy ({0}) to '0' (use_tmp_file false)",
            "select * from query('{1}')",
            "select exists({0})",
            "describe {0}",
            "summarize {0}",
            "select 1 union all {0}",
            "select try(({0}))",
            "select json_serialize_sql('{1}')",
            "from ({0}) limit 3",
        ]
    ).format(sql, sql.replace("'", "''"))


def _homoglyphs(random_: random.Random, sql: str) -> str:
    table = str.maketrans({"'": "\u2019", ";": "\u037e", "a": "\u0430", "e": "\u0435", "_": "\uff3f"})
    start = random_.randrange(len(sql) or 1)
    return sql[:start] + sql[start:].translate(table)


def _torn(random_: random.Random, sql: str) -> str:
    start, end = sorted(random_.randrange(len(sql) + 1) for _ in range(2))
    return sql[:start] + "".join(random_.choices(string.punctuation, k=random_.randrange(3))) + sql[end:]


TEXTUAL = [_commented, _recased, _doubled, _wrapped, _wrapped, _wrapped, _homoglyphs, _torn]

# Mutations of the tree.


def _other_text(random_: random.Random, tree: exp.Expression, path: str, table: str) -> exp.Expression:
    for literal in [*tree.find_all(exp.Literal)]:
        literal.replace(exp.Literal.string(random_.choice([path, table])))
    return tree


def _reads_file(random_: random.Random, tree: exp.Expression, path: str, table: str) -> exp.Expression:  # noqa: ARG001
    reader = random_.choice(
        ["read_text", "read_blob", "read_csv", "read_parquet", "glob", "read_json", "parquet_schema"]
    )
    for found in [*tree.find_all(exp.Table)]:
        found.replace(exp.Table(this=exp.func(reader, exp.Literal.string(path), dialect="duckdb")))
    return tree


def _computed_text(random_: random.Random, tree: exp.Expression, path: str, table: str) -> exp.Expression:  # noqa: ARG001
    for literal in [*tree.find_all(exp.Literal)]:
        if literal.is_string and literal.this:
            half = random_.randrange(len(literal.this))
            first, second = exp.Literal.string(literal.this[:half]), exp.Literal.string(literal.this[half:])
            literal.replace(exp.Paren(this=exp.DPipe(this=first, expression=second)))
    return tree


def _unioned(random_: random.Random, tree: exp.Expression, path: str, table: str) -> exp.Expression:
    other = random_.choice([f"select * from {table}", f"select content from read_text('{path.replace(chr(39), '')}')"])
    return exp.union(tree, sqlglot.parse_one(other, dialect="duckdb"), distinct=False)


def _nested(random_: random.Random, tree: exp.Expression, path: str, table: str) -> exp.Expression:  # noqa: ARG001
    for _ in range(random_.randrange(1, 4)):
        tree = exp.select("*").from_(tree.subquery("q"))  # type: ignore[attr-defined]
    return tree


def _aggregated(random_: random.Random, tree: exp.Expression, path: str, table: str) -> exp.Expression:  # noqa: ARG001
    shown = random_.choice(
        ["hex(string_agg(q::varchar, ','))", "to_base64(encode(list(q)::varchar))", "reverse(list(q)::varchar)"]
    )
    return exp.select(sqlglot.parse_one(shown, dialect="duckdb")).from_(tree.subquery("q"))  # type: ignore[attr-defined]


STRUCTURAL = [_other_text, _reads_file, _computed_text, _unioned, _nested, _aggregated]
