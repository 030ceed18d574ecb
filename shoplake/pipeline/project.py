"""The dbt project as a run needs it: compiled once for these models and settings, and kept for all homes.

dbt reads, checks and compiles the models in five seconds. What comes of it is SQL that stays the same until a model or
a setting changes; `shoplake.pipeline.build` runs it without dbt.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec
from platformdirs import user_cache_path

from shoplake.errors import BuildError
from shoplake.files import durable_write
from shoplake.pipeline.models import Model, ModelGraph

if TYPE_CHECKING:
    from shoplake.settings import Settings

PROJECT = Path(__file__).parents[1]
COMPILED_BY = (Path(__file__), Path(__file__).with_name("models.py"))


class Audit(msgspec.Struct, frozen=True):
    """A data test of dbt: rows that its SQL gives break it."""

    name: str
    sql: str
    table: str
    """The model that it is about."""
    reads: tuple[str, ...]
    """The models that its SQL reads."""
    is_warning: bool
    """It is told when it breaks, and stops nothing."""
    kind: str = ""
    """The generic test that it is one of, such as ``unique_combination``."""


@dataclass(frozen=True)
class Project:
    """The compiled dbt project."""

    graph: ModelGraph
    sql: dict[str, str]
    """The SELECT of each model."""
    audits: tuple[Audit, ...]
    version: str
    """Hash of the models and their SQL: another version rebuilds everything."""


class _Compiled(msgspec.Struct, frozen=True):
    """What is kept of a project."""

    digest: str
    """Of all that it was compiled from."""
    models: list[Model]
    sql: dict[str, str]
    audits: tuple[Audit, ...]


def model_variables(settings: Settings) -> dict[str, Any]:
    """Give the settings that models read as dbt variables."""
    return {
        "timezone": settings.timezone,
        "stock_hold_hours": settings.stock_hold_hours,
        "session_gap_minutes": settings.session_gap_minutes,
        "case_timeout_days": settings.case_timeout_days,
    }


def load_project(settings: Settings) -> Project:
    """Give the project for a home's settings; it is kept for this process.

    Raises:
        BuildError: dbt cannot compile it.

    """
    variables = json.dumps(model_variables(settings), sort_keys=True)
    with _loading:
        if variables not in _loaded:
            _loaded[variables] = _load(variables)
    return _loaded[variables]


_loaded: dict[str, Project] = {}
"""The project by its variables: it is the same for every home."""
_loading = threading.Lock()


def _load(variables: str) -> Project:
    digest, place = _digest(variables), _place(variables)
    compiled = _kept(place, digest)
    if compiled is None:
        compiled = _compile(variables, digest)
        _keep(place, compiled)
    made_of = msgspec.json.encode([compiled.models, sorted(compiled.sql.items())], order="sorted")
    graph = ModelGraph({model.name: model for model in compiled.models})
    return Project(graph, compiled.sql, compiled.audits, hashlib.sha256(made_of).hexdigest()[:16])


def _digest(variables: str) -> str:
    """Hash all that the compiled project is made of."""
    files = [PROJECT / "dbt_project.yml", PROJECT / "profiles.yml", *COMPILED_BY]
    for folder in ("warehouse", "marts"):
        files += sorted(file for file in (PROJECT / folder).rglob("*") if file.suffix in {".sql", ".yml", ".md"})
    digest = hashlib.sha256(f"{variables} {version('dbt-core')} {version('dbt-duckdb')}".encode())
    for file in files:
        digest.update(f"\n{file.relative_to(PROJECT)}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def _place(variables: str) -> Path:
    """Give where the compiled project lies: in the user's own cache, as whoever writes it says what is run."""
    name = hashlib.sha256(f"{PROJECT} {variables}".encode()).hexdigest()[:16]
    return user_cache_path("shoplake") / f"models-{name}.json"


def _kept(place: Path, digest: str) -> _Compiled | None:
    with suppress(OSError, msgspec.DecodeError):
        compiled = msgspec.json.decode(place.read_bytes(), type=_Compiled)
        if compiled.digest == digest:
            return compiled
    return None


def _keep(place: Path, compiled: _Compiled) -> None:
    with suppress(OSError):  # where it cannot be written, each process compiles anew
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        durable_write(place, msgspec.json.encode(compiled))


def _compile(variables: str, digest: str) -> _Compiled:
    with TemporaryDirectory(prefix="shoplake-models-") as folder:
        nodes = _dbt_compile(variables, folder)
    models = [node for node in nodes if node.resource_type == "model"]
    tests = [node for node in nodes if node.resource_type == "test"]
    return _Compiled(
        digest=digest,
        models=list(ModelGraph.from_dbt(models).models.values()),
        sql={node.name: node.compiled_code for node in models},
        audits=tuple(_audit(node) for node in tests),
    )


def _audit(node: Any) -> Audit:  # noqa: ANN401 - dbt's node classes are not typed
    reads = [unique_id.split(".") for unique_id in node.depends_on.nodes]
    return Audit(
        name=node.name,
        sql=node.compiled_code,
        table=(node.attached_node or "").split(".")[-1],
        reads=tuple(parts[-1] for parts in reads if parts[0] == "model"),
        is_warning=node.config.severity.lower() == "warn",
        kind=node.test_metadata.name if getattr(node, "test_metadata", None) else "",
    )


def _dbt_compile(variables: str, folder: str) -> Sequence[Any]:
    """Give dbt's nodes with their SQL: models and data tests."""
    arguments = ["compile", "--vars", variables, "--exclude", "test_type:unit"]
    arguments += ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
    arguments += ["--target-path", f"{folder}/target", "--log-path", f"{folder}/logs"]
    quiet = ["--no-write-json", "--no-populate-cache", "--no-send-anonymous-usage-stats", "--no-use-colors"]
    quiet += ["--log-level", "none", "--log-level-file", "none"]
    with _quiet_warnings():
        from dbt.cli.main import dbtRunner

        outcome: Any = dbtRunner().invoke([*quiet, *arguments])
    results = outcome.result.results if outcome.result else []
    if not outcome.success:
        reasons = [str(result.message) for result in results if str(result.status) == "error"]
        raise BuildError(
            f"dbt cannot compile the models: {outcome.exception or '; '.join(reasons)}",
            hint="This is a fault of the models.",
        )
    return [result.node for result in results]


@contextmanager
def _quiet_warnings() -> Iterator[None]:
    """Keep dbt's and its dependencies' deprecation warnings away from our users and our strict tests."""
    os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def main() -> None:
    """Compile the models for all homes of this installation that keep to the default settings."""
    from shoplake.settings import load_settings

    with TemporaryDirectory() as folder:
        load_project(load_settings(Path(folder)))


if __name__ == "__main__":
    main()
