"""Every role, table, column, row, command and export agrees with the policy, and so does every file on disk.

What is expected is read from the policy's YAML here, on its own; what is seen comes from real sessions and files.
"""

from __future__ import annotations

from collections import defaultdict
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from click.testing import CliRunner

from shoplake.access.catalogue import TableEntry, load_catalogue
from shoplake.access.identity import Identity
from shoplake.access.policy import CONSOLES, EXPORTS, PACKAGED, load_policy
from shoplake.access.policy_check import problems
from shoplake.access.rights import Rights
from shoplake.access.session import open_release_session
from shoplake.cli.main import COMMANDS, shoplake
from shoplake.home import HomePaths
from shoplake.keys.duckdb_session import add_parquet_key, connect, parquet_options
from shoplake.keys.keyring import Keyring
from shoplake.pipeline import releases
from shoplake.settings import Settings
from tests.access.released import COST, LIMITED, SOUTH, WORDS, identities

POLICY: dict[str, Any] = yaml.safe_load(PACKAGED.read_text(encoding="utf-8"))
USERS = [*POLICY["roles"], *LIMITED]
REGIONS = POLICY["attributes"]["region"]
MAKES_A_HOME = {"init", "demo"}


def said(user: str) -> dict[str, Any]:
    role: dict[str, Any] = POLICY["roles"][LIMITED.get(user, user)]
    return role


def fits(name: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def region_of(user: str, entry: TableEntry) -> str | None:
    """Give the column by which the user's rows of a table are chosen; None when they see all rows."""
    if user not in LIMITED or fits(entry.full_name, said(user).get("unlimited", [])):
        return None
    return next((name for name in REGIONS if name in entry.columns), None)


def expected(user: str) -> dict[str, set[str]]:
    """Give the columns that a user must see, by table."""
    role, found = said(user), {}
    for entry in load_catalogue().values():
        is_unlimited = user not in LIMITED or fits(entry.full_name, role.get("unlimited", []))
        is_person_level = "pseudonym" in entry.columns.values()
        if (
            fits(entry.full_name, role["tables"])
            and (is_unlimited or region_of(user, entry))
            and not ("smallest_group" in role and is_person_level)
        ):
            open_tags = {None, *role.get("sensitive", [])}
            found[entry.full_name] = {name for name, tag in entry.columns.items() if tag in open_tags}
    return found


def person(settings: Settings, name: str) -> Identity:
    return next(identity for identity in identities(settings) if identity.name == name)


@pytest.mark.parametrize("user", USERS)
def test_a_session_shows_the_columns_of_the_policy_and_no_others(released: Settings, user: str) -> None:
    con, _ = open_release_session(released, person(released, user))
    seen = defaultdict(set)
    for schema, table, column in con.execute(
        "select schema_name, table_name, column_name from duckdb_columns() where not internal"
    ).fetchall():
        seen[f"{schema}.{table}"].add(column)
    assert dict(seen) == expected(user)
    con.close()


@pytest.mark.parametrize("user", USERS)
def test_a_session_shows_the_rows_of_the_policy_and_every_table_opens(released: Settings, user: str) -> None:
    con, _ = open_release_session(released, person(released, user))
    whole = connect_whole(released)
    for entry in load_catalogue().values():
        if entry.full_name not in expected(user):
            continue
        column = region_of(user, entry)
        where = f"where {column} = 'North'" if column else ""
        (there,) = whole.execute(f"select count(*) from {entry.full_name} {where}").fetchone() or (0,)
        assert con.execute(f"select count(*) from {entry.full_name}").fetchone() == (there,)
        assert there > 0, f"the world has no rows of {entry.full_name} that a test could miss"
    con.close()


def connect_whole(settings: Settings) -> duckdb.DuckDBPyConnection:
    from shoplake.access.session import open_release

    return open_release(settings, releases.required(settings, None))


@pytest.mark.parametrize("user", USERS)
def test_consoles_and_exports_are_those_of_the_policy(released: Settings, user: str) -> None:
    rights = Rights.of(released, person(released, user))
    assert {name for name in CONSOLES if rights.may_use(name).is_allowed} == set(said(user)["consoles"])
    assert {name for name in EXPORTS if rights.may_export(name).is_allowed} == set(said(user)["exports"])


@pytest.mark.parametrize("user", USERS)
def test_commands_agree_with_the_policy(released: Settings, user: str) -> None:
    role = said(user)
    for arguments, console in ((["sql", "select 1"], "sql"), (["kpis", "--team", "finance"], "kpis")):
        export = "sql" if console == "sql" else "kpi"
        for style, is_allowed in (
            ("table", console in role["consoles"]),
            ("csv", console in role["consoles"] and export in role["exports"]),
        ):
            call = ["--home", str(released.home), *arguments, "--as", user, "--format", style]
            assert (CliRunner().invoke(shoplake, call).exit_code == 0) == is_allowed, (console, style)


def test_every_command_is_a_console_that_a_policy_can_grant() -> None:
    assert COMMANDS.keys() - MAKES_A_HOME <= CONSOLES


def test_every_table_of_the_release_has_a_rule(released: Settings) -> None:
    manifest = releases.required(released, None)
    catalogue = load_catalogue()
    assert {name: list(table.columns) for name, table in manifest.tables.items()} == {
        name: list(entry.columns) for name, entry in catalogue.items()
    }
    assert problems(load_policy(released), catalogue) == []
    new = catalogue | {"mart_people__wages": TableEntry("people", "mart_people__wages", {"wage": None})}
    assert "people.mart_people__wages" in "".join(problems(load_policy(released), new))


# Files and keys.


@cache
def opened(home: Path) -> dict[str, dict[str, str]]:
    """Give what every key of the home opens under releases: key name, file, all that is in it as text."""
    from shoplake.settings import load_settings

    settings = load_settings(home)
    ring, con = Keyring.open(settings), connect(settings)
    root = HomePaths(home).partitions
    found: dict[str, dict[str, str]] = {}
    for name in ring.names():
        key = add_parquet_key(con, ring.current(name))
        found[name] = {}
        for file in root.rglob("*.parquet"):
            try:
                rows = con.execute(
                    f"select * from read_parquet('{file}', {parquet_options(key)}, hive_partitioning = false)"
                )
            except duckdb.Error:
                continue
            columns = [column[0] for column in rows.description or []]
            found[name][str(file.relative_to(root))] = f"{columns}{rows.fetchall()}"
    return found


def held(settings: Settings, user: str) -> tuple[set[str], set[str]]:
    """Give the names of the keys and the files that a user's session holds."""
    shown = Rights.of(settings, person(settings, user)).narrowed(releases.required(settings, None))
    return {table.key_name for table in shown.tables.values()}, releases.files_in([shown])


def canaries(settings: Settings, user: str) -> list[str]:
    """Give texts that stand in what a user may not see."""
    role, found = said(user), []
    seen = {name.partition(".")[2]: columns for name, columns in expected(user).items()}
    whole = connect_whole(settings)
    for entry in load_catalogue().values():
        for column, tag in entry.columns.items():
            if tag is not None and column not in seen.get(entry.name, set()) and tag not in role.get("sensitive", []):
                values = whole.execute(f"select distinct {column} from {entry.full_name} where {column} is not null")
                found += [str(value) for (value,) in values.fetchall()]
    return found + ([SOUTH] if user in LIMITED else [])


@pytest.mark.parametrize("user", USERS)
def test_no_key_of_a_role_opens_what_it_may_not_see(released: Settings, user: str) -> None:
    keys, files = held(released, user)
    readable = {file: text for key in keys for file, text in opened(released.home)[key].items()}
    assert files <= readable.keys()
    everything = "".join(readable.values())
    hidden = canaries(released, user)
    assert [canary for canary in hidden if canary in everything] == []
    if "text" not in said(user).get("sensitive", []):
        assert f"{WORDS} 101" in hidden
    if "cost" not in said(user).get("sensitive", []):
        assert str(COST) in hidden
        assert "unit_cost_amount" not in everything


def test_the_planted_values_are_there_for_those_who_may_see_them(released: Settings) -> None:
    seen = {"finance": str(COST), "operations": str(COST), "sales": SOUTH, "analyst": SOUTH, "support": f"{WORDS} 101"}
    for user, canary in seen.items():
        keys, _ = held(released, user)
        assert any(canary in text for key in keys for text in opened(released.home)[key].values()), user


def test_each_file_opens_under_one_key(released: Settings) -> None:
    keys = defaultdict(set)
    for key, files in opened(released.home).items():
        for file in files:
            keys[file].add(key)
    assert keys.keys() == releases.files_in([releases.required(released, None)])
    assert {len(found) for found in keys.values()} == {1}


def test_equal_rights_share_files_and_whole_tables_are_not_copied(released: Settings) -> None:
    manifest = releases.required(released, None)
    shown = {user: Rights.of(released, person(released, user)) for user in USERS}
    assert {view.view_id for rights in shown.values() for view in rights.views()} == manifest.views.keys()
    assert len(manifest.views) < sum(len(rights.views()) for rights in shown.values())
    finance = shown["finance"].narrowed(manifest)
    assert finance.tables["mart_finance__revenue_day"] == manifest.tables["mart_finance__revenue_day"]
    assert shown["finance"].views() == []
