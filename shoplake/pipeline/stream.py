"""Near-real-time marts: round after round, what streams brought becomes a release of what is made of it.

A round lands what waits, merges small lake objects, and then makes a release as `run` does, but of the stream sources
alone: tables that are made of others are shared with the release before. The process stays up, so that its start
is paid for once.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from shoplake.errors import LockedError, PositionMoved, ShoplakeError
from shoplake.home import home_lock, require_home
from shoplake.pipeline import releases
from shoplake.pipeline.releasing import Maker, Scope, opened
from shoplake.pipeline.report import RunReport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoplake.settings import Settings
    from shoplake.store.ledger import Ledger

EVERY_SECONDS = 20.0
SHORTEST_PAUSE_SECONDS = 1.0
"""Between two rounds the home is free for so long at least: a `run` that waits gets its turn."""
POLL_SECONDS = 0.2


class _Stopped(Exception):  # noqa: N818 - nothing went wrong
    """Asked to stop, between two steps."""


class Stream:
    """Makes rounds on one home; one process makes many."""

    def __init__(self, settings: Settings, *, is_stopping: Callable[[], bool] = lambda: False) -> None:
        """Work on the home of ``settings``; ``is_stopping`` is asked before each step of a round.

        Raises:
            HomeError: there is no such home.

        """
        require_home(settings)
        self._settings, self._is_stopping = settings, is_stopping
        self._run_id: int | None = None

    def round(self) -> RunReport | None:
        """Land, merge, build, audit and publish what is new; None if asked to stop before it was done.

        What has landed stays landed, whatever comes after.

        Raises:
            AuditFailed: a test did not hold; nothing was published.
            BuildError: a model's SQL failed; nothing was published.
            HomeError: the disk is full, or fails.

        """
        report = RunReport()
        try:
            self._land(report)
            with self._turn(), opened(self._settings) as (keyring, ledger):
                maker = Maker(self._settings, keyring, ledger, report, self._on_step)
                with self._recorded(ledger, report):
                    self._merge(maker)
                    maker.make(Scope(made_by="stream", sources=self._sources()))
        except _Stopped:
            return None
        return report

    def _on_step(self, _name: str) -> None:
        if self._is_stopping():
            raise _Stopped

    def _sources(self) -> list[str]:
        from shoplake.contracts import stream_contracts

        return list(stream_contracts(self._settings))

    def _land(self, report: RunReport) -> None:
        """Drain the spool; what `consume` landed is in the lake already. It needs no turn: streams land beside runs."""
        from shoplake.collector.drain import drain
        from shoplake.pipeline.build import Step
        from shoplake.store.spool import spool_path

        self._on_step("land")
        started = time.perf_counter()
        try:
            report.files = drain(self._settings) if spool_path(self._settings).exists() else []
        except (PositionMoved, LockedError):
            report.files = []  # the collector drains the same spool, and was first
        rows = sum(file.rows_landed for file in report.files)
        report.steps.append(Step("land", time.perf_counter() - started, rows))

    def _merge(self, maker: Maker) -> None:
        from shoplake.lake.merging import merge_small

        with maker.timed("merge") as step:
            step["rows"] = merge_small(maker.settings, maker.keyring, maker.ledger)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Hold the home's lock, once whoever changes the home is done."""
        with ExitStack() as lock:
            while True:
                self._on_step("wait")
                try:
                    lock.enter_context(home_lock(self._settings, wait_seconds=1))
                    break
                except LockedError:
                    continue
            yield

    @contextmanager
    def _recorded(self, ledger: Ledger, report: RunReport) -> Iterator[None]:
        """Keep one record of this process among the runs: of its latest round."""
        if ledger.interrupted_run():
            releases.sweep(self._settings)
        self._run_id = ledger.start_run(self._run_id)
        status, detail = "failed", dict[str, Any]()
        try:
            yield
            status, detail = "ok", report.as_dict()
        except _Stopped:
            status = "stopped"
            raise
        except Exception as error:
            detail = {"error": str(error)}
            raise
        finally:
            ledger.finish_run(self._run_id, status=status, release_id=report.release, detail=detail)


def stream(
    settings: Settings,
    *,
    every_seconds: float = EVERY_SECONDS,
    is_stopping: Callable[[], bool] = lambda: False,
    on_round: Callable[[RunReport], None] = lambda _: None,
    on_failure: Callable[[ShoplakeError], None] = lambda _: None,
) -> None:
    """Make a round every so many seconds until asked to stop; a round that failed is tried again with the next.

    Args:
        settings: the home to work on.
        every_seconds: from the beginning of a round to that of the next.
        is_stopping: asked often; once true, the step that is under way is the last.
        on_round: told what each round did.
        on_failure: told why a round failed.

    Raises:
        HomeError: there is no such home.

    """
    rounds = Stream(settings, is_stopping=is_stopping)
    while not is_stopping():
        started = time.monotonic()
        try:
            report = rounds.round()
        except ShoplakeError as error:
            on_failure(error)
        else:
            if report is not None:
                on_round(report)
        gc.collect()  # memory stays flat between rounds
        next_at = max(started + every_seconds, time.monotonic() + SHORTEST_PAUSE_SECONDS)
        while not is_stopping() and time.monotonic() < next_at:
            time.sleep(min(POLL_SECONDS, max(next_at - time.monotonic(), 0)))
