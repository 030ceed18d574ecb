"""What one person may see and do, decided from the policy alone; every decision names its line."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from shoplake.access.catalogue import TableEntry, load_catalogue
from shoplake.access.policy import Limit, Policy, Role, Rule, load_policy, matching
from shoplake.errors import AccessDenied

if TYPE_CHECKING:
    from shoplake.access.identity import Identity
    from shoplake.pipeline.manifest import Manifest, Table, View
    from shoplake.settings import Settings

NAMED = re.compile(r"""(?:table with name |column named |column )"?(?:\w+\.)*(\w+)""")
"""Where DuckDB's messages name a table or column that it does not find."""


@dataclass(frozen=True)
class Decision:
    """Yes or no, why, and the line of the policy that says so."""

    is_allowed: bool
    reason: str
    line: int
    rows: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Values that rows must have, by column."""
    figures_only: bool = False
    """Denied to queries, open to KPIs over groups."""


@dataclass(frozen=True)
class Rights:
    """A person's rights by one policy over one catalogue of tables."""

    policy: Policy
    identity: Identity
    catalogue: Mapping[str, TableEntry]

    @classmethod
    def of(cls, settings: Settings, identity: Identity) -> Rights:
        """Give a person's rights by the policy of a home.

        Raises:
            PolicyError: the policy cannot be read, or has no such role.

        """
        rights = cls(load_policy(settings), identity, load_catalogue())
        _ = rights.role
        return rights

    @cached_property
    def role(self) -> Role:
        """Give the person's role."""
        return self.policy.role(self.identity.role)

    def table(self, name: str) -> Decision:
        """Decide on a table by its bare name."""
        entry = self.catalogue.get(name)
        if entry is None:
            return Decision(False, f"the models know no table {name}", self.role.line)
        grant = matching(self.role.tables, entry.full_name)
        if grant is None:
            return Decision(False, f"no line grants {entry.full_name} to {self.role.name}", self.role.line)
        unknown = self.identity.attributes.keys() - {limit.attribute for limit in self.role.limits}
        if unknown:
            why = f"{self.identity.name} is limited by {', '.join(sorted(unknown))}, which {self.role.name} is not"
            return Decision(False, why, self.role.line)
        rows: dict[str, tuple[str, ...]] = {}
        for limit in self.role.limits:
            refusal = self._limit(entry, limit, rows)
            if refusal:
                return refusal
        smallest = self.role.smallest_group
        if smallest and entry.is_personal:
            why = (
                f"{entry.full_name} tells persons apart: {self.role.name} sees it in figures of {smallest.text} or more"
            )
            return Decision(False, why, smallest.line, rows, figures_only=True)
        return Decision(True, f"tables: {grant.text}", grant.line, rows)

    def _limit(self, entry: TableEntry, limit: Limit, rows: dict[str, tuple[str, ...]]) -> Decision | None:
        """Add the rows that a limit leaves of a table; give the refusal when it leaves nothing."""
        values = limit.values or tuple(self.identity.attributes.get(limit.attribute, ()))
        if not values:
            if limit.is_required:
                return Decision(False, f"{self.identity.name} has no {limit.attribute}, which is required", limit.line)
            return None
        if matching(self.role.unlimited, entry.full_name):
            return None
        columns = [rule.text for rule in self.policy.attributes.get(limit.attribute, ())]
        column = next((name for name in columns if name in entry.columns), None)
        if column is None:
            only = f"{self.identity.name} is limited to {', '.join(values)}"
            why = f"{entry.full_name} has no {limit.attribute}, and {only}"
            return Decision(False, why, limit.line)
        rows[column] = values
        return None

    def column(self, table: str, column: str) -> Decision:
        """Decide on a column of a table."""
        decision = self.table(table)
        entry = self.catalogue.get(table)
        if entry is None or not (decision.is_allowed or decision.figures_only):
            return decision
        if column not in entry.columns:
            return Decision(False, f"{entry.full_name} has no column {column}", self.role.line)
        return self._hidden(entry, column) or decision

    def _hidden(self, entry: TableEntry, column: str) -> Decision | None:
        """Give the refusal of a column, whatever becomes of its table."""
        hidden = matching(self.role.hide, f"{entry.full_name}.{column}")
        if hidden:
            return Decision(False, f"hide: {hidden.text}", hidden.line)
        tag = entry.columns[column]
        if tag is None or any(rule.text == tag for rule in self.role.sensitive):
            return None
        line = self.role.sensitive[0].line if self.role.sensitive else self.role.line
        return Decision(False, f"{column} is {tag}, which is not among what {self.role.name} may see (sensitive)", line)

    def columns(self, table: str) -> tuple[str, ...]:
        """Give the columns of a table that the person may see."""
        entry = self.catalogue[table]
        if not self.table(table).is_allowed:
            return ()
        return tuple(name for name in entry.columns if self._hidden(entry, name) is None)

    def is_whole(self, table: str) -> bool:
        """Say whether the person may see all of a table: only then may they hold its key."""
        decision = self.table(table)
        return (
            decision.is_allowed and not decision.rows and len(self.columns(table)) == len(self.catalogue[table].columns)
        )

    def view(self, table: str) -> View | None:
        """Give the part of a table that the person may see; None when it is all of it, or nothing."""
        from shoplake.pipeline.manifest import View

        decision = self.table(table)
        columns = self.columns(table)
        if not decision.is_allowed or not columns or self.is_whole(table):
            return None
        rows = {column: tuple(sorted(set(values))) for column, values in decision.rows.items()}
        return View(table, columns, rows)

    def views(self) -> list[View]:
        """Give every part of a table that has to be released for this person."""
        return [view for name in self.catalogue if (view := self.view(name)) is not None]

    def narrowed(self, manifest: Manifest) -> Manifest:
        """Give the release as the person may see it: their tables, columns, files and keys, and no others."""
        import msgspec

        found = {name: self._released(name, table, manifest) for name, table in manifest.tables.items()}
        tables = {name: table for name, table in found.items() if table is not None}
        return msgspec.structs.replace(manifest, tables=tables, views={})

    def _released(self, name: str, table: Table, manifest: Manifest) -> Table | None:
        """Give what a release holds of a table for the person: all, a view, or nothing (yet)."""
        import msgspec

        if name not in self.catalogue or not self.columns(name):
            return None
        view = self.view(name)
        if view is None:
            # A column that today's models do not know may be of any sensitivity.
            return table if table.columns.keys() == self.catalogue[name].columns.keys() else None
        made = manifest.views.get(view.view_id)
        if made is None:
            return None
        shown = {column: table.columns[column] for column in view.columns}
        return msgspec.structs.replace(table, columns=shown, partitions=made.partitions, sql="", key=made.key_name)

    def may_use(self, console: str) -> Decision:
        """Decide on a console: a command, a page, an endpoint."""
        scopes = self.identity.scopes
        if scopes is not None and console not in scopes:
            return Decision(
                False, f"the token in use is good for {', '.join(sorted(scopes)) or 'nothing'}", self.role.line
            )
        return self._listed(self.role.consoles, "consoles", console)

    def may_export(self, what: str) -> Decision:
        """Decide on taking rows out in a file."""
        return self._listed(self.role.exports, "exports", what)

    def _listed(self, rules: tuple[Rule, ...], key: str, word: str) -> Decision:
        found = next((rule for rule in rules if rule.text == word), None)
        if found is None:
            return Decision(False, f"{word} is not among the {key} of {self.role.name}", self.role.line)
        return Decision(True, f"{key}: {word}", found.line)

    def about_names_in(self, message: str, shown: Collection[str]) -> Decision:
        """Find the name that a failed query stumbled over, and decide on it; allowed where no name is out of reach.

        The query failed as if the thing did not exist, since for its session it does not; this only says why.

        Args:
            message: of the engine; its first line names what it did not find.
            shown: tables in the person's session.

        """
        for word in NAMED.findall(message.partition("\n")[0].lower()):
            if word in self.catalogue and not (decision := self.table(word)).is_allowed:
                return decision
            for name, entry in self.catalogue.items():
                if word in entry.columns and self.columns(name) and not (found := self.column(name, word)).is_allowed:
                    return found
            if word in self.catalogue and word not in shown:
                return Decision(False, f"this release holds no files of {word} for these rights yet", self.role.line)
        return Decision(True, "no name of the catalogue", self.role.line)

    def require(self, decision: Decision, what: str) -> None:
        """Pass an allowed decision.

        Raises:
            AccessDenied: it is a refusal.

        """
        if not decision.is_allowed:
            line = f"{self.policy.file.name}:{decision.line}"  # Where it lies is nothing to who is refused.
            raise AccessDenied(
                f"{self.identity.name} ({self.role.name}) may not {what}: {decision.reason}.",
                hint=f"See {line}, and `shoplake access explain {self.identity.name}`.",
            )
