"""Opens what KPIs read: all of a release for its owner, a person's own files for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from shoplake.access.kpi_needs import Needs, columns_read
from shoplake.access.kpi_query import Query
from shoplake.access.kpi_scope import Scope
from shoplake.access.kpi_window import Window
from shoplake.errors import AccessDenied

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shoplake.access.identity import Identity
    from shoplake.access.kpi_definition import Kpi
    from shoplake.access.rights import Rights
    from shoplake.access.warm import Warm
    from shoplake.pipeline.manifest import Manifest
    from shoplake.settings import Settings

Opened = tuple["DuckDBPyConnection", "Manifest"]
"""A session, and the release with the tables that it shows."""


@dataclass(frozen=True)
class Sources:
    """The release for some KPIs and one who asks for them; sessions open when they are first needed."""

    settings: Settings
    manifest: Manifest
    asked: Sequence[tuple[Kpi, Window]]
    opened: ExitStack
    rights: Rights | None = None
    warm: Warm | None = None
    """Has sessions that stay open."""

    def query(self, kpi: Kpi, dimensions: Iterable[str] = ()) -> Query:
        """Give what answers a KPI, as far as the person may see it.

        Figures as the release holds them come from the person's own files. What stood earlier is made again from
        tables that people have no files of, and figures over groups from rows that they may not see: that is done here,
        with SQL that comes from the KPI's file alone, over no more columns and rows than theirs.

        Raises:
            AccessDenied: the person may not see it.

        """
        if self.rights is None:
            return self._over(self._whole, kpi)
        scope = Scope(self.rights, kpi)
        scope.check(dimensions)
        if scope.is_in_figures_only:
            return self._over(self._whole, kpi, scope)
        scope.require_files(self._narrowed)
        beyond = lru_cache(maxsize=1)(lambda: self._over(self._whole, kpi, scope))
        return replace(self._over(self._own, kpi), beyond=beyond)

    def _over(self, opened: Opened, kpi: Kpi, scope: Scope | None = None) -> Query:
        con, manifest = opened
        days = self.warm.days() if self.warm is not None else None
        return Query(con, manifest, kpi, self.settings.engagement_window_days, scope, days=days)

    @contextmanager
    def explained(self, kpi: Kpi) -> Iterator[None]:
        """Say why a KPI fails that names a column which the person may not see."""
        import duckdb

        try:
            yield
        except duckdb.BinderException as error:
            if self.rights is not None:
                found = self.rights.about_names_in(str(error), self._narrowed.tables)
                self.rights.require(found, f"have {kpi.name}")
            raise

    @cached_property
    def _narrowed(self) -> Manifest:
        assert self.rights is not None, "only a person's release is narrowed"  # noqa: S101
        return self.rights.narrowed(self.manifest)

    @cached_property
    def _own(self) -> Opened:
        return self._open(self._narrowed)

    @cached_property
    def _whole(self) -> Opened:
        return self._open(self.manifest)

    def _open(self, manifest: Manifest) -> Opened:
        """Open only the partitions that the windows can need: the price of an answer does not grow with history."""
        from shoplake.access.kpi_survival import register
        from shoplake.access.session import open_release

        needed = Needs(self.settings, manifest).of(self.asked)
        if self.warm is not None:
            return self.opened.enter_context(self.warm.session(needed, manifest, columns_read(self.manifest)))
        con = open_release(self.settings, needed)
        self.opened.callback(con.close)
        register(con)
        return con, needed


def rights_of(settings: Settings, identity: Identity | None, console: str) -> Rights | None:
    """Give the rights of a person who may use a console; None for the owner of the home.

    Raises:
        AccessDenied: the person may not use it.

    """
    from shoplake.access.rights import Rights

    if identity is None:
        return None
    rights = Rights.of(settings, identity)
    rights.require(rights.may_use(console), f"use {console}")
    return rights


def may_see(rights: Rights, kpi: Kpi) -> bool:
    """Say whether a person may see a KPI."""
    scope = Scope(rights, kpi)
    try:
        scope.check(())
    except AccessDenied:
        return False
    return True
