"""Runs dbt in this process: parse once, build what the plan touched, audit it."""

from __future__ import annotations

import filecmp
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path

from shoplake.errors import BuildError
from shoplake.files import durable_write
from shoplake.pipeline.manifest import AuditCounts
from shoplake.pipeline.models import ModelGraph

if TYPE_CHECKING:
    from shoplake.pipeline.workspace import Workspace
    from shoplake.settings import Settings

PROJECT = Path(__file__).parents[1]
SHOWN_ROWS = 20


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


@dataclass(frozen=True)
class BuildOutcome:
    """What dbt did."""

    steps: tuple[Step, ...]
    tests: AuditCounts
    failures: tuple[AuditFailure, ...]
    compiled: dict[str, str]
    """The SQL of each built model with bare table names."""


@dataclass(frozen=True)
class Project:
    """The parsed dbt project."""

    graph: ModelGraph
    dbt_manifest: Any
    version: str
    """Hash of the models' SQL and settings: another version rebuilds everything."""


def model_variables(settings: Settings) -> dict[str, Any]:
    """Give the settings that models read as dbt variables."""
    return {
        "timezone": settings.timezone,
        "stock_hold_hours": settings.stock_hold_hours,
        "session_gap_minutes": settings.session_gap_minutes,
        "case_timeout_days": settings.case_timeout_days,
    }


def parse(settings: Settings) -> Project:
    """Read the dbt project; the result is kept for this process.

    Raises:
        BuildError: the project does not parse.

    """
    from shoplake.home import HomePaths

    variables = json.dumps(model_variables(settings), sort_keys=True)
    with _parsing:
        if variables not in _parsed:
            _parsed[variables] = _parse(variables, str(HomePaths(settings.home).build / "dbt"))
    return _parsed[variables]


def parse_meanwhile(settings: Settings) -> None:
    """Begin to read the dbt project in a thread of its own; `parse` waits for it, and says what went wrong.

    It takes one core two seconds, in which landing can use the other.
    """

    def begin() -> None:
        with suppress(Exception):  # `parse` meets it again, in the thread that can tell it
            parse(settings)

    threading.Thread(target=begin, name="parse").start()


_parsed: dict[str, Project] = {}
"""The parsed project by its variables: it is the same for every home."""
_parsing = threading.Lock()


def _parse(variables: str, folder: str) -> Project:
    with _parsed_before(Path(folder) / "target" / "partial_parse.msgpack"):
        result = _invoke(["parse", "--vars", variables], folder)
    manifest = result.result
    checksums = sorted(
        node.checksum.checksum
        for node in [*manifest.nodes.values(), *manifest.macros.values()]
        if node.package_name == "shoplake" and getattr(node, "checksum", None)
    )
    digest = hashlib.sha256("".join([variables, *checksums]).encode()).hexdigest()
    return Project(ModelGraph.from_dbt(manifest), manifest, digest[:16])


@contextmanager
def _parsed_before(file: Path) -> Iterator[None]:
    """Lend dbt what any home's parse of this installation gave: it compares checksums and reads only what changed.

    A home's first run is four seconds shorter by it. The file holds the models alone.
    """
    from shoplake import __version__

    place = hashlib.sha256(str(PROJECT).encode()).hexdigest()[:12]
    kept = user_cache_path("shoplake") / f"models-{__version__}-{place}.msgpack"
    try:
        if kept.is_file() and not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.copyfile(kept, file)
    except OSError:
        file.unlink(missing_ok=True)
    yield
    with suppress(OSError):  # a cache that cannot be written is only slower
        if not kept.is_file() or not filecmp.cmp(kept, file, shallow=False):
            kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            durable_write(kept, file.read_bytes())


def build(
    workspace: Workspace,
    project: Project,
    models: Sequence[str],
    views: Sequence[str],
    on_built: Callable[[str], None],
) -> BuildOutcome:
    """Build ``models`` upon ``views`` and run the tests of both.

    Args:
        workspace: where to build.
        project: the parsed models.
        models: names of those to build.
        views: names of the views beneath them.
        on_built: told the name of each model once its rows are written, while others are still built or tested.

    Raises:
        BuildError: a model's SQL failed.

    """
    from shoplake.home import HomePaths
    from shoplake.pipeline.workspace import Current

    variables = json.dumps(model_variables(workspace.settings), sort_keys=True)
    folder = str(HomePaths(workspace.settings.home).build / "dbt")
    args = [
        "build",
        "--vars",
        variables,
        "--exclude-resource-type",
        "unit_test",
        "--select",
        *views,
        *models,
    ]
    Current.workspace = workspace
    try:
        result = _invoke(args, folder, manifest=project.dbt_manifest, must_pass=False, on_built=on_built)
        if result.exception is not None:
            raise BuildError(f"dbt could not run: {result.exception}", hint="This is a fault of the models.")
        return _outcome(workspace, result.result.results)
    finally:
        Current.workspace = None


def _outcome(workspace: Workspace, results: Sequence[Any]) -> BuildOutcome:
    steps, compiled, failures = [], {}, []
    passed = warned = 0
    for result in results:
        node, status = result.node, str(result.status)
        if node.resource_type == "model":
            if status == "error":
                raise BuildError(
                    f"Model {node.name} failed: {result.message.strip()}",
                    hint="Nothing was published. Correct the model, then `shoplake run` again.",
                )
            if node.name in workspace.graph.models and workspace.graph[node.name].is_table:
                compiled[node.name] = _bare(node.compiled_code, workspace.graph)
                steps.append(Step(f"build {node.name}", round(result.execution_time, 3)))
        elif status in {"pass", "warn"}:
            passed, warned = passed + 1, warned + (status == "warn")
        elif status in {"fail", "error"}:
            failures.append(_failure(workspace, result))
    return BuildOutcome(tuple(steps), AuditCounts(passed, len(failures), warned), tuple(failures), compiled)


def _failure(workspace: Workspace, result: Any) -> AuditFailure:  # noqa: ANN401 - dbt's result is not typed
    node = result.node
    rows: list[dict[str, Any]] = []
    if str(result.status) == "fail" and node.compiled_code:
        query = workspace.connection.execute(f"select * from ({node.compiled_code}) limit {SHOWN_ROWS}")
        names = [column[0] for column in query.description or []]
        rows = [dict(zip(names, row, strict=True)) for row in query.fetchall()]
    table = (node.attached_node or "").split(".")[-1]
    return AuditFailure(node.name, table, int(result.failures or 0), str(result.message or ""), tuple(rows))


def _bare(sql: str, graph: ModelGraph) -> str:
    """Drop database and schema from the names in compiled SQL, so that it can run over any relations."""
    for schema in {model.database for model in graph.models.values()} | {"plan"}:
        sql = sql.replace(f'"memory"."{schema}".', "")
    return sql


def _invoke(
    args: list[str],
    folder: str,
    *,
    manifest: Any = None,  # noqa: ANN401
    must_pass: bool = True,
    on_built: Callable[[str], None] | None = None,
) -> Any:  # noqa: ANN401 - dbt's result is not typed
    from dbt.cli.main import dbtRunner

    def listen(event: Any) -> None:  # noqa: ANN401
        if on_built and event.info.name == "NodeFinished":
            node = event.data.node_info
            if node.resource_type == "model" and node.node_status == "success":
                on_built(node.node_name)

    fixed = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
    fixed += ["--target-path", f"{folder}/target", "--log-path", f"{folder}/logs"]
    flags = [
        "--no-write-json",
        "--no-populate-cache",
        "--log-level",
        "none",
        "--no-send-anonymous-usage-stats",
        "--log-level-file",
        "none",
        "--no-use-colors",
    ]
    with _quiet_warnings():
        result = dbtRunner(manifest=manifest, callbacks=[listen]).invoke([*flags, *args, *fixed])
    if must_pass and not result.success:
        raise BuildError(f"dbt {args[0]} failed: {result.exception}", hint="This is a fault of the models.")
    return result


@contextmanager
def _quiet_warnings() -> Iterator[None]:
    """Keep dbt's and its dependencies' deprecation warnings away from our users and our strict tests."""
    import warnings

    os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def main() -> None:
    """Parse the models once for all homes of this installation."""
    from tempfile import TemporaryDirectory

    from shoplake.settings import load_settings

    with TemporaryDirectory() as folder:
        parse(load_settings(Path(folder)))


if __name__ == "__main__":
    main()
