"""Makes what the plan touched and audits it: runs the models' compiled SQL in the scratch database."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from shoplake.errors import BuildError
from shoplake.pipeline.manifest import AuditCounts

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shoplake.pipeline.models import Model, ModelGraph
    from shoplake.pipeline.project import Audit, Project
    from shoplake.pipeline.workspace import Workspace

SHOWN_ROWS = 20
AT_ONCE = 3
"""Statements that run side by side: each has times in which it needs but one core."""


@dataclass(frozen=True)
class Step:
    """One thing that a run did."""

    name: str
    seconds: float
    rows: int | None = None


@dataclass(frozen=True)
class AuditFailure:
    """An audit test that did not hold, with some of the rows that broke it."""

    test: str
    table: str
    failures: int
    message: str
    rows: tuple[dict[str, Any], ...]
    kind: str = ""


@dataclass(frozen=True)
class BuildOutcome:
    """What was built, and what the audit says of it."""

    steps: tuple[Step, ...]
    tests: AuditCounts
    failures: tuple[AuditFailure, ...]
    compiled: dict[str, str]
    """The SQL of each built table with bare table names."""


def build(
    workspace: Workspace,
    project: Project,
    models: Collection[str],
    on_built: Callable[[str], None],
) -> BuildOutcome:
    """Build ``models`` and run the tests that read any of them.

    A model is made once its parents are, a test is run once all that it reads is made. When a test breaks, no further
    model is begun.

    Args:
        workspace: where to build.
        project: the compiled models.
        models: names of the tables to build, and of the views beneath them.
        on_built: told the name of each model once its rows are written, while others are still built or tested.

    Raises:
        BuildError: a model's SQL failed.

    """
    made = _Build(workspace, project, models, on_built)
    made.run()
    return made.outcome()


@dataclass
class _Task:
    """A statement that waits for tables."""

    name: str
    after: frozenset[str]
    """Tables and views of this build that must be made first."""
    makes: bool
    """It makes a table or view of its name; else it is a test."""
    work: Callable[[DuckDBPyConnection], None]


class _Build:
    def __init__(
        self, workspace: Workspace, project: Project, models: Collection[str], on_built: Callable[[str], None]
    ) -> None:
        chosen = frozenset(models)
        graph = project.graph
        audits = [audit for audit in project.audits if not chosen.isdisjoint(audit.reads)]
        self._workspace, self._project, self._on_built = workspace, project, on_built
        self._tasks = [
            _Task(name, chosen.intersection(model.parents), True, partial(self._make, model))
            for name, model in graph.models.items()
            if name in chosen
        ]
        self._tasks += [
            _Task(audit.name, chosen.intersection(audit.reads), False, partial(self._audit, audit)) for audit in audits
        ]
        self._unmade = set(chosen)
        self._steps: list[Step] = []
        self._failures: list[AuditFailure] = []
        self._passed: list[str] = []
        self._warned: list[str] = []
        self._error: BuildError | None = None

    def run(self) -> None:
        """Run all statements, each as soon as what it reads is made; models come first."""
        cursors = [self._workspace.connection.cursor() for _ in range(AT_ONCE)]
        running: dict[Future[None], tuple[_Task, DuckDBPyConnection]] = {}
        with ThreadPoolExecutor(AT_ONCE, "build") as workers:
            try:
                while True:
                    while cursors and (task := self._next()):
                        cursor = cursors.pop()
                        running[workers.submit(task.work, cursor)] = task, cursor
                    if not running:
                        break
                    for done in wait(running, return_when=FIRST_COMPLETED).done:
                        task, cursor = running.pop(done)
                        cursors.append(cursor)
                        self._finish(task, done)
            except BaseException:
                for _, cursor in running.values():
                    cursor.interrupt()
                raise

    def outcome(self) -> BuildOutcome:
        """Give what came of it; a test that broke goes before a model that then could not be made.

        Raises:
            BuildError: a model's SQL failed.

        """
        if self._error and not self._failures:
            raise self._error
        tests = AuditCounts(len(self._passed), len(self._failures), len(self._warned))
        compiled = {
            name: _bare(self._project.sql[name], self._project.graph)
            for name in sorted(step.name.removeprefix("build ") for step in self._steps)
        }
        return BuildOutcome(tuple(self._steps), tests, tuple(self._failures), compiled)

    def _next(self) -> _Task | None:
        is_stopped = self._error is not None or self._failures
        for task in self._tasks:
            if self._unmade.isdisjoint(task.after) and not (task.makes and is_stopped):
                self._tasks.remove(task)
                return task
        return None

    def _finish(self, task: _Task, done: Future[None]) -> None:
        try:
            done.result()
        except BuildError as error:
            self._error = self._error or error
            return
        if task.makes:
            self._unmade.discard(task.name)
            self._on_built(task.name)

    def _make(self, model: Model, con: DuckDBPyConnection) -> None:
        import duckdb

        started, sql = time.perf_counter(), self._project.sql[model.name]
        try:
            _check_contract(con, model, sql)
            if model.is_table:
                self._workspace.write(con, model, sql)
            else:
                con.execute(f'create or replace view "{model.database}"."{model.name}" as {sql}')
        except duckdb.Error as error:
            raise _model_failed(model, str(error).strip()) from error
        if model.is_table:
            self._steps.append(Step(f"build {model.name}", round(time.perf_counter() - started, 3)))

    def _audit(self, audit: Audit, con: DuckDBPyConnection) -> None:
        import duckdb

        try:
            (count,) = con.execute(f"select count(*) from ({audit.sql}\n)").fetchone() or (0,)
            rows = _first_rows(con, audit.sql) if count else []
        except duckdb.Error as error:
            self._failures.append(AuditFailure(audit.name, audit.table, 0, str(error), (), audit.kind))
            return
        if count and not audit.is_warning:
            self._failures.append(AuditFailure(audit.name, audit.table, count, "", tuple(rows), audit.kind))
            return
        self._passed.append(audit.name)
        if count:
            self._warned.append(audit.name)


def _first_rows(con: DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    found = con.execute(f"select * from ({sql}\n) limit {SHOWN_ROWS}")
    names = [column[0] for column in found.description or []]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _check_contract(con: DuckDBPyConnection, model: Model, sql: str) -> None:
    """Hold a model to the columns and types that its description promises.

    Raises:
        BuildError: it has others.

    """
    made = {name: kind for name, kind, *_ in con.execute(f"describe select * from ({sql}\n)").fetchall()}
    if made != model.columns:
        odd = [
            f"{name} is {made.get(name, 'missing')}, promised {model.columns.get(name, 'nowhere')}"
            for name in {**model.columns, **made}
            if made.get(name) != model.columns.get(name)
        ]
        raise _model_failed(model, f"its columns are not those of its contract: {'; '.join(odd)}.")


def _model_failed(model: Model, why: str) -> BuildError:
    return BuildError(
        f"Model {model.name} failed: {why}",
        hint="Nothing was published. Correct the model, then `shoplake run` again.",
    )


def _bare(sql: str, graph: ModelGraph) -> str:
    """Drop database and schema from the names in compiled SQL, so that it can run over any relations."""
    for schema in {model.database for model in graph.models.values()} | {"plan"}:
        sql = sql.replace(f'"memory"."{schema}".', "")
    return sql
