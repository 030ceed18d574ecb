"""Kinds of acts, by the names of their actions: for people who look for one among many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from shoplake.audit.entry import Entry

Kind = Literal["look", "export", "sign in", "change", "pipeline"]
KINDS: tuple[Kind, ...] = get_args(Kind)
PIPELINE = frozenset(
    ["init", "land", "run", "build", "publish", "stream", "drain", "consume", "collect", "serve", "expire", "log"]
)
LOOKS = frozenset(
    ["kpi", "kpis", "sql", "status", "list", "show", "diff", "tail", "search", "verify", "explain", "check", "queries"]
)
SIGNING = frozenset(["sign", "profile"])


def kind_of(entry: Entry) -> Kind:
    """Say what kind of act a record is of.

    A look shows something, an export takes it out, a change is anything else that a person does; what brings data in
    and makes releases is the pipeline.
    """
    words = entry.action.split(" ")
    if words[-1] == "export":
        return "export"
    if words[0] in PIPELINE:
        return "pipeline"
    if words[0] in SIGNING:
        return "sign in"
    if words[-1] in LOOKS and entry.outcome != "begun":
        return "look"
    return "change"
