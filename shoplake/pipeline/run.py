"""One run: land what is new, build what that touches, audit it, and publish a release or nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from shoplake.audit.recording import changing
from shoplake.home import home_lock
from shoplake.pipeline import releases
from shoplake.pipeline.releasing import Maker, Scope, opened
from shoplake.pipeline.report import RunReport

if TYPE_CHECKING:
    from shoplake.settings import Settings

WAIT_SECONDS = 30
"""So long a run waits for its turn: a stream's round ends sooner."""


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
        LockedError: another process keeps changing the home.

    """
    from shoplake.lake.landing import land_inbox

    report, mode = RunReport(), {"full_audit": full_audit or None, "rebuild": rebuild or None}
    turn = home_lock(settings, wait_seconds=WAIT_SECONDS)
    with changing(settings, "run", **mode) as entry, turn, opened(settings) as (keyring, ledger):
        crashed = ledger.interrupted_run()
        run_id = ledger.start_run()
        if crashed:
            releases.sweep(settings)
        maker = Maker(settings, keyring, ledger, report, on_step)
        with maker.timed("land") as step:
            report.files = land_inbox(settings, locked=True)
            step["rows"] = sum(file.rows_landed for file in report.files)
        try:
            maker.make(Scope(full_audit=full_audit, rebuild=rebuild))
        except Exception as error:
            ledger.finish_run(run_id, status="failed", release_id=None, detail={"error": str(error)})
            raise
        ledger.finish_run(run_id, status="ok", release_id=report.release, detail=report.as_dict())
        entry.release = report.release
        entry.detail = entry.detail | {"published": report.published}
    return report
