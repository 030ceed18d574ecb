"""The policy file: what it may say, what is wrong with it, and that a home may have its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from shoplake.access.catalogue import TableEntry, load_catalogue
from shoplake.access.identity import Identity
from shoplake.access.policy import PACKAGED, Policy, load_policy
from shoplake.access.policy_check import problems
from shoplake.access.rights import Rights
from shoplake.errors import PolicyError
from shoplake.settings import load_settings

HEAD = "version: 1\nsensitivities: {cost: Cost}\nattributes: {region: [region]}\nroles:\n"
TABLES = {
    "day": TableEntry("sales", "day", {"region": None, "net": None, "cost_amount": "cost"}),
    "date": TableEntry("warehouse", "date", {"day": None}),
}


def policy(folder: Path, text: str) -> Policy:
    (folder / "policy.yaml").write_text(text, encoding="utf-8")
    return load_policy(load_settings(folder))


def rights(folder: Path, role: str, **attributes: tuple[str, ...]) -> Rights:
    return Rights(policy(folder, HEAD + role), Identity("maria", "r", attributes), TABLES)


def test_the_packaged_policy_says_nothing_that_does_not_exist(tmp_path: Path) -> None:
    packaged = load_policy(load_settings(tmp_path))
    assert packaged.file == PACKAGED
    assert problems(packaged, load_catalogue()) == []


def test_what_no_line_grants_is_denied(tmp_path: Path) -> None:
    none = rights(tmp_path, "  r: {}\n")
    assert not none.table("day").is_allowed
    assert not none.may_use("sql").is_allowed
    assert not none.may_export("sql").is_allowed
    assert not none.table("unheard_of").is_allowed


def test_a_decision_names_the_line_that_it_comes_from(tmp_path: Path) -> None:
    one = rights(tmp_path, "  r:\n    tables:\n      - warehouse.*\n      - sales.d*\n    consoles: [sql]\n")
    assert (one.table("day").line, one.table("day").reason) == (8, "tables: sales.d*")
    assert (one.may_use("sql").line, one.may_use("sql").is_allowed) == (9, True)
    hidden = one.column("day", "cost_amount")
    assert not hidden.is_allowed
    assert hidden.line == 5


def test_columns_go_by_sensitivity_and_by_name(tmp_path: Path) -> None:
    assert rights(tmp_path, "  r: {tables: [sales.*]}\n").columns("day") == ("region", "net")
    whole = rights(tmp_path, "  r: {tables: [sales.*], sensitive: [cost]}\n")
    assert whole.is_whole("day")
    assert whole.view("day") is None
    named = rights(tmp_path, "  r: {tables: [sales.*], sensitive: [cost], hide: [sales.day.net]}\n")
    assert named.columns("day") == ("region", "cost_amount")


def test_limits_choose_rows_and_shut_tables_that_cannot_be_limited(tmp_path: Path) -> None:
    role = "  r: {tables: [sales.*, warehouse.*], limits: {region: optional}}\n"
    assert rights(tmp_path, role).table("day").rows == {}
    north = rights(tmp_path, role, region=("North", "East"))
    assert north.table("day").rows == {"region": ("North", "East")}
    assert not north.table("date").is_allowed
    free = rights(tmp_path, role.replace("}}", "}, unlimited: [warehouse.*]}"), region=("North",))
    assert free.table("date").is_allowed
    assert not rights(tmp_path, role.replace("optional", "required")).table("day").is_allowed
    fixed = rights(tmp_path, role.replace("optional", "[North]"))
    assert fixed.table("day").rows == {"region": ("North",)}


def test_a_limited_user_of_a_role_without_that_limit_sees_nothing(tmp_path: Path) -> None:
    assert not rights(tmp_path, "  r: {tables: [sales.*]}\n", region=("North",)).table("day").is_allowed


def test_equal_rights_are_one_view(tmp_path: Path) -> None:
    role = "  r: {tables: [sales.*], limits: {region: optional}}\n"
    one, other = (rights(tmp_path, role, region=values).view("day") for values in (("N", "E"), ("E", "N", "E")))
    assert one is not None
    assert one == other
    assert one.view_id != rights(tmp_path, role, region=("N",)).views()[0].view_id


@pytest.mark.parametrize(
    ("role", "line", "word"),
    [
        ("  r: {tables: [sales.weeks]}\n", 5, "no table is called 'sales.weeks'"),
        ("  r: {tables: [sales.*], hide: [sales.day.vat]}\n", 5, "no column is called"),
        ("  r: {tables: ['*']}\n  s:\n    sensitive: [salary]\n", 7, "there is no sensitivity 'salary'"),
        ("  r: {tables: ['*']}\n  s:\n    limits: {planet: optional}\n", 7, "there is no attribute 'planet'"),
        ("  r: {tables: ['*']}\n  s:\n    consoles:\n      - sqll\n", 8, "there is no console 'sqll'"),
        ("  r: {tables: ['*']}\n  s: {exports: [gold]}\n", 6, "there is no export"),
        ("  r: {tables: ['*'], limits: {region: optional}, unlimited: [x.y]}\n", 5, "the role sees no table called"),
    ],
)
def test_names_that_stand_for_nothing_are_found(tmp_path: Path, role: str, line: int, word: str) -> None:
    found = "\n".join(problems(policy(tmp_path, HEAD + role), TABLES))
    assert f"policy.yaml:{line}: " in found
    assert word in found


def test_a_table_without_a_rule_and_a_tag_without_a_meaning_are_found(tmp_path: Path) -> None:
    made = policy(tmp_path, HEAD + "  r: {tables: [sales.*]}\n")
    assert ["warehouse.date" in problem for problem in problems(made, TABLES)] == [True]
    tagged = {"day": TableEntry("sales", "day", {"region": None, "warehouse_region": None, "iban": "bank"})}
    assert "sensitivities lacks 'bank'" in "".join(problems(made, tagged))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("roles: [", "cannot be read"),
        ("version: 2\n", ":1: version must be 1"),
        (HEAD + "  r:\n    tabels: []\n", ":6: 'tabels' is not known here"),
        (HEAD + "  r:\n    tables: sales.*\n", ":6: here stands a list"),
        (HEAD + "  r:\n    limits: {region: sometimes}\n", ":6: a limit is"),
        (HEAD + "  r:\n    limits: {region: []}\n", ":6: a limit without a value"),
        (HEAD + "  r:\n    smallest_group: few\n", ":6: smallest_group is a number"),
        (HEAD + "  r: {}\n  r: {}\n", ":6: 'r' stands twice"),
        ("", "version"),
    ],
)
def test_a_policy_that_cannot_be_read_lets_nobody_in(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(PolicyError) as caught:
        policy(tmp_path, text)
    assert place in caught.value.message


def test_a_changed_policy_counts_at_once(tmp_path: Path) -> None:
    assert "r" in policy(tmp_path, HEAD + "  r: {}\n").roles
    assert "much_longer" in policy(tmp_path, HEAD + "  much_longer: {}\n").roles
    with pytest.raises(PolicyError, match="has no role 'r'"):
        load_policy(load_settings(tmp_path)).role("r")
