"""Makes a release of what the lake holds: plan what changed, build and audit it, publish it or nothing.

`shoplake run` takes every source; a round of `shoplake stream` takes those whose events stream, and leaves every table
that is made of others alone as the last release has it.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec

from shoplake.audit.recording import committing, showing
from shoplake.errors import AuditFailed, BuildError, ShoplakeError
from shoplake.home import HomePaths
from shoplake.lake.disk import disk_failure_in, disk_failures_said, failed
from shoplake.pipeline import releases
from shoplake.pipeline.build import AuditFailure, BuildOutcome, Step, build
from shoplake.pipeline.changes import changes_since
from shoplake.pipeline.lasting import business_day, days_of_erased, first_days
from shoplake.pipeline.manifest import Manifest, Restatement, Table
from shoplake.pipeline.plan import Changes, make_plan
from shoplake.pipeline.project import Project, load_project
from shoplake.pipeline.publish import Digests, collect_tables, discard
from shoplake.pipeline.report import RunReport, remembered
from shoplake.pipeline.views import refreshed
from shoplake.pipeline.workspace import Workspace
from shoplake.privacy.vault import Vault

if TYPE_CHECKING:
    from shoplake.keys.keyring import Keyring
    from shoplake.settings import Settings
    from shoplake.store.ledger import Ledger


@dataclass(frozen=True)
class Scope:
    """What a release is made of."""

    made_by: Literal["run", "stream"] = "run"
    full_audit: bool = False
    """Test every partition, not only those that are made."""
    rebuild: bool = False
    """Make every partition anew, whatever the last release holds."""
    sources: Collection[str] | None = None
    """Take what is new of these sources only; None: of all."""


@dataclass
class Maker:
    """One making of a release, under the home's lock."""

    settings: Settings
    keyring: Keyring
    ledger: Ledger
    report: RunReport
    on_step: Callable[[str], None]
    """Told the name of each step as it begins; what it raises ends the making, and nothing is published."""

    @contextmanager
    def timed(self, name: str) -> Iterator[dict[str, int | None]]:
        """Tell that a step begins, and put its seconds and the ``rows`` that the block sets into the report."""
        self.on_step(name)
        started, found = time.perf_counter(), dict[str, int | None]()
        yield found
        self.report.steps.append(Step(name, time.perf_counter() - started, found.get("rows")))

    def make(self, scope: Scope) -> None:
        """Build, audit and publish what changed since the last release; the report says what came of it.

        Raises:
            AuditFailed: a test did not hold; nothing was published.
            BuildError: a model's SQL failed; nothing was published.
            HomeError: the disk is full, or fails; the last release stays.

        """
        with remembered(self.ledger, self.report, scope.made_by):
            try:
                with disk_failures_said("The release"):
                    self._make(scope)
            except (AuditFailed, BuildError) as error:
                if why := disk_failure_in(error.message):
                    raise failed("The release", why) from error
                raise

    def _make(self, scope: Scope) -> None:
        settings, report = self.settings, self.report
        with self.timed("plan"):
            project = load_project(settings)
            snapshot, vault = self.ledger.snapshot(), Vault(self.ledger.store, self.keyring)
            served = releases.current(settings)
            last = None if scope.rebuild else _usable(served, project, settings)
            # What is not taken stays as a release has it. Without one to build upon, everything is taken.
            is_partial = scope.sources is not None and last is not None and bool(last.spans)
            only = project.graph.read_together(scope.sources or ()) if is_partial else None
            changes = changes_since(settings, snapshot, last, only)
            plan = make_plan(
                project.graph,
                changes,
                last,
                settle_after_days=settings.settle_after_days,
                full=scope.full_audit,
                first_days=first_days(settings, project.graph, business_day(settings)),
                again=days_of_erased(settings, self.keyring, project.graph, vault, last),
            )
        report.watermarks = dict(changes.watermarks)
        if not snapshot.files:
            report.release = last.release_id if last else None
            return
        is_idle = last is not None and not changes and not scope.full_audit and not plan.touched
        if last is not None and is_idle and not plan.expires_any(last.tables):
            report.release, report.tests = last.release_id, last.tests
            return
        folder = HomePaths(settings.home).build / "partitions"
        workspace = Workspace(settings, self.keyring, project.graph, plan, snapshot, folder, vault)
        discard(workspace)
        workspace.folder.mkdir(parents=True)
        try:
            with Digests(workspace) as digests:
                outcome = (
                    BuildOutcome((), last.tests, (), {})
                    if last is not None and is_idle
                    else self._build_and_audit(workspace, project, scope, digests)
                )
                with self.timed("publish") as step, _leaving_nothing(settings):
                    tables, changed = collect_tables(workspace, last, outcome.compiled, digests)
                    manifest = self._manifest(workspace, project, outcome, last, changes, scope, tables, changed)
                    self._publish(manifest, served)
                    step["rows"] = sum(changed.values())
            report.release, report.published = manifest.release_id, True
        finally:
            workspace.close()
            discard(workspace)

    def _publish(self, manifest: Manifest, replaced: Manifest | None) -> None:
        settings = self.settings
        words = {"restatements": [msgspec.to_builtins(each) for each in manifest.restatements]}
        names = sorted(f"{manifest.tables[name].database}.{name}" for name in manifest.changed)
        with committing(settings, "publish", release=manifest.release_id, tables=names, **words):
            releases.save(settings, manifest)
        releases.withdraw(settings, [replaced.release_id] if replaced else [])
        releases.expire(settings, days=settings.release_retention_days, now=manifest.created_at)

    def _build_and_audit(self, workspace: Workspace, project: Project, scope: Scope, digests: Digests) -> BuildOutcome:
        report, graph = self.report, workspace.graph
        models = [model.name for model in graph.tables() if model.name in workspace.plan.touched]
        is_whole = scope.full_audit or not models
        views = graph.views_of([m.name for m in graph.tables()] if is_whole else models)
        with self.timed("build and audit"), showing(self.settings, "build", tables=sorted(models)) as entry:
            outcome = build(workspace, project, {*views, *models}, digests.begin)
            entry.detail = {"tests_passed": outcome.tests.passed, "tests_failed": outcome.tests.failed}
        report.steps[-1:] = [*outcome.steps, report.steps[-1]]
        report.tests, report.failures = outcome.tests, outcome.failures
        if outcome.failures:
            raise AuditFailed(
                _explain(outcome.failures, self.ledger),
                hint="Nothing was published; the last release stays. Correct the file and land it again, "
                "or see `shoplake quarantine list`.",
            )
        return outcome

    def _manifest(
        self,
        workspace: Workspace,
        project: Project,
        outcome: BuildOutcome,
        last: Manifest | None,
        changes: Changes,
        scope: Scope,
        tables: dict[str, Table],
        changed: dict[str, int],
    ) -> Manifest:
        now = dt.datetime.now(dt.UTC)
        views = refreshed(workspace.connection, self.settings, self.keyring, tables)
        behind = {source: last.reaches(source) for source in changes.left_out} if last else {}
        return Manifest(
            release_id=releases.next_release_id(self.settings, now, made_by=scope.made_by),
            created_at=now,
            ledger_sequence=workspace.snapshot.sequence,
            timezone=workspace.settings.timezone,
            model_version=project.version,
            watermarks=dict(workspace.plan.watermarks),
            settled_through=workspace.plan.settled_through,
            tables=tables,
            tests=outcome.tests,
            changed=changed,
            quarantined=self.ledger.open_quarantine_by_day(),
            restatements=tuple(
                Restatement(r.source, r.logical_name, r.rows_added, r.rows_removed, r.rows_changed, r.net_sales_moved)
                for r in self.ledger.restatements()
                if r.source not in changes.left_out and r.sequence > (last.reaches(r.source) if last else 0)
            ),
            behind=behind,
            spans={source: (min(days), max(days)) for source, days in changes.all_days.items() if days},
            views=views,
        )


@contextmanager
def _leaving_nothing(settings: Settings) -> Iterator[None]:
    """Remove what a publishing that failed has put in place; where the disk does not let it, a later sweep does."""
    try:
        yield
    except BaseException:
        with suppress(OSError, ShoplakeError):
            releases.sweep(settings)
        raise


def _usable(last: Manifest | None, project: Project, settings: Settings) -> Manifest | None:
    """Build upon the last release only while its models, business day and keys of tables are still the same."""
    if last is None or last.model_version != project.version or last.timezone != settings.timezone:
        return None
    return last if all(table.key for table in last.tables.values()) else None


def _explain(failures: tuple[AuditFailure, ...], ledger: Ledger) -> str:
    """Say which rows of which file broke which test."""
    rows = [row for failure in failures for row in failure.rows[:5]]
    ids = {row["_file_id"] for row in rows if row.get("_file_id")}
    files = ledger.file_names(file_ids=ids) if ids else {}
    lines = [f"{len(failures)} audit test(s) failed:"]
    for failure in failures:
        lines.append(f"  {failure.test} on {failure.table}: {failure.failures} row(s). {failure.message}".rstrip())
        for row in failure.rows[:5]:
            where = (
                f"{files.get(row['_file_id'], row['_file_id'])} line {row.get('_line')}: "
                if row.get("_file_id")
                else ""
            )
            shown = {k: str(v) for k, v in row.items() if not k.startswith("_")}
            lines.append(f"    {where}{shown}")
    return "\n".join(lines)


@contextmanager
def opened(settings: Settings) -> Iterator[tuple[Keyring, Ledger]]:
    """Open the keys and the ledger of a home."""
    from shoplake.keys.keyring import Keyring
    from shoplake.store.engine import open_store
    from shoplake.store.ledger import Ledger

    keyring = Keyring.open(settings)
    store = open_store(settings, keyring)
    try:
        yield keyring, Ledger(store)
    finally:
        store.close()
