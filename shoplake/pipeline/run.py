"""One run: land what is new, build what that touches, audit it, and publish a release or nothing."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shoplake.errors import AuditFailed
from shoplake.home import HomePaths, home_lock, require_home
from shoplake.pipeline import releases
from shoplake.pipeline.build import AuditFailure, BuildOutcome, Project, Step, build, parse
from shoplake.pipeline.changes import changes_since
from shoplake.pipeline.manifest import AuditCounts, Manifest, Restatement
from shoplake.pipeline.plan import make_plan
from shoplake.pipeline.publish import collect_tables, discard
from shoplake.pipeline.views import refreshed
from shoplake.pipeline.workspace import Workspace

if TYPE_CHECKING:
    from shoplake.keys.keyring import Keyring
    from shoplake.lake.landing import LandedFile
    from shoplake.settings import Settings
    from shoplake.store.ledger import Ledger, LedgerSnapshot


@dataclass
class RunReport:
    """What a run did; ``as_dict`` is the stable JSON shape of `shoplake run`."""

    release: str | None = None
    published: bool = False
    steps: list[Step] = field(default_factory=list)
    watermarks: dict[str, dt.datetime] = field(default_factory=dict)
    tests: AuditCounts = field(default_factory=lambda: AuditCounts(0, 0))
    failures: tuple[AuditFailure, ...] = ()
    files: list[LandedFile] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Give the JSON shape: release, published, steps, watermarks, tests."""
        return {
            "release": self.release,
            "published": self.published,
            "steps": [{"name": s.name, "seconds": round(s.seconds, 3), "rows": s.rows} for s in self.steps],
            "watermarks": {source: mark.isoformat() + "Z" for source, mark in sorted(self.watermarks.items())},
            "tests": {"passed": self.tests.passed, "failed": self.tests.failed},
        }


@dataclass(frozen=True)
class _Mode:
    full_audit: bool
    rebuild: bool


def _no_one(_name: str) -> None:
    """Tell nobody."""


def run(
    settings: Settings,
    *,
    full_audit: bool = False,
    rebuild: bool = False,
    on_step: Callable[[str], None] = _no_one,
) -> RunReport:
    """Land the landing folders, then build, audit and publish what that touched.

    Args:
        settings: the home to work on.
        full_audit: test every partition, not only those that this run touched.
        rebuild: make every partition anew from the lake, whatever the last release holds.
        on_step: told the name of each step as it begins.

    Raises:
        AuditFailed: a test did not hold; nothing was published.
        LockedError: another process is changing the home.

    """
    from shoplake.lake.landing import land_inbox

    require_home(settings)
    report = RunReport()
    with home_lock(settings), _open(settings) as (keyring, ledger):
        crashed = ledger.interrupted_run()
        run_id = ledger.start_run()
        if crashed:
            releases.sweep(settings)
        with _timed(report, "land", on_step) as step:
            report.files = land_inbox(settings, locked=True)
            step["rows"] = sum(file.rows_landed for file in report.files)
        try:
            _release(settings, keyring, ledger, report, _Mode(full_audit, rebuild), on_step)
        except Exception as error:
            ledger.finish_run(run_id, status="failed", release_id=None, detail={"error": str(error)})
            raise
        ledger.finish_run(run_id, status="ok", release_id=report.release, detail=report.as_dict())
    return report


def _release(
    settings: Settings,
    keyring: Keyring,
    ledger: Ledger,
    report: RunReport,
    mode: _Mode,
    on_step: Callable[[str], None],
) -> None:
    with _timed(report, "plan", on_step):
        project = parse(settings)
        snapshot = ledger.snapshot()
        last = None if mode.rebuild else _usable(releases.current(settings), project, settings)
        changes = changes_since(settings, snapshot, last)
        plan = make_plan(
            project.graph, changes, last, settle_after_days=settings.settle_after_days, full=mode.full_audit
        )
    report.watermarks = dict(changes.watermarks)
    if not snapshot.files:
        report.release = last.release_id if last else None
        return
    if last is not None and not changes and not mode.full_audit:
        report.release, report.tests = last.release_id, last.tests
        return
    workspace = Workspace(
        settings, keyring, project.graph, plan, snapshot, HomePaths(settings.home).build / "partitions"
    )
    discard(workspace)
    workspace.folder.mkdir(parents=True)
    try:
        outcome = _build_and_audit(workspace, project, report, on_step)
        with _timed(report, "publish", on_step) as step:
            manifest = _manifest(workspace, project, outcome, ledger, last)
            releases.save(settings, manifest)
            releases.expire(settings, days=settings.release_retention_days, now=manifest.created_at)
            step["rows"] = sum(manifest.changed.values())
        report.release, report.published = manifest.release_id, True
    finally:
        discard(workspace)


def _build_and_audit(
    workspace: Workspace, project: Project, report: RunReport, on_step: Callable[[str], None]
) -> BuildOutcome:
    models = [model.name for model in workspace.graph.tables() if model.name in workspace.plan.touched]
    with _timed(report, "build and audit", on_step):
        outcome = build(workspace, project, models)
    report.steps[-1:] = [*outcome.steps, report.steps[-1]]
    report.tests, report.failures = outcome.tests, outcome.failures
    if outcome.failures:
        raise AuditFailed(
            _explain(outcome.failures, workspace.snapshot),
            hint="Nothing was published; the last release stays. Correct the file and land it again, "
            "or see `shoplake quarantine list`.",
        )
    return outcome


def _manifest(
    workspace: Workspace, project: Project, outcome: BuildOutcome, ledger: Ledger, last: Manifest | None
) -> Manifest:
    now = dt.datetime.now(dt.UTC)
    tables, changed = collect_tables(workspace, last, outcome.compiled)
    views = refreshed(workspace.connection, workspace.settings, workspace.keyring, tables)
    sequence = last.ledger_sequence if last else 0
    return Manifest(
        release_id=releases.new_release_id(now),
        created_at=now,
        ledger_sequence=workspace.snapshot.sequence,
        timezone=workspace.settings.timezone,
        model_version=project.version,
        watermarks=dict(workspace.plan.watermarks),
        settled_through=workspace.plan.settled_through,
        tables=tables,
        tests=outcome.tests,
        changed=changed,
        quarantined=ledger.open_quarantine_by_day(),
        restatements=tuple(
            Restatement(r.source, r.logical_name, r.rows_added, r.rows_removed, r.rows_changed, r.net_sales_moved)
            for r in ledger.restatements()
            if r.sequence > sequence
        ),
        views=views,
    )


def _usable(last: Manifest | None, project: Project, settings: Settings) -> Manifest | None:
    """Build upon the last release only while its models, business day and keys of tables are still the same."""
    if last is None or last.model_version != project.version or last.timezone != settings.timezone:
        return None
    return last if all(table.key for table in last.tables.values()) else None


def _explain(failures: tuple[AuditFailure, ...], snapshot: LedgerSnapshot) -> str:
    """Say which rows of which file broke which test."""
    files = snapshot.file_names()
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
def _timed(report: RunReport, name: str, on_step: Callable[[str], None]) -> Iterator[dict[str, int | None]]:
    on_step(name)
    started, found = time.perf_counter(), dict[str, int | None]()
    yield found
    report.steps.append(Step(name, time.perf_counter() - started, found.get("rows")))


@contextmanager
def _open(settings: Settings) -> Iterator[tuple[Keyring, Ledger]]:
    from shoplake.keys.keyring import Keyring
    from shoplake.store.engine import open_store
    from shoplake.store.ledger import Ledger

    keyring = Keyring.open(settings)
    store = open_store(settings, keyring)
    try:
        yield keyring, Ledger(store)
    finally:
        store.close()
