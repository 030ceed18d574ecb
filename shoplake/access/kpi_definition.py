"""What a KPI file may say: each KPI is defined once, in ``marts/<team>/kpi_<name>.yml``."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from shoplake.errors import ContractError
from shoplake.files import read_yaml

MARTS = Path(__file__).parents[1] / "marts"

Unit = Literal["money", "units", "ratio", "seconds", "score", "count", "pairs", "days", "rating", "turns", "rises"]
Sql = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Mart(_Part):
    """A mart that can answer, if it has every column that is asked for."""

    name: Name
    parts: dict[Name, Sql] = {}
    """Parts that do not add up over this mart's rows as they do over the others'."""


class Per(_Part):
    """A step before the parts: one row for each of ``by`` within each group that is asked for."""

    by: tuple[Name, ...]
    measures: dict[Name, Sql]


class Dimension(_Part):
    """Something to group and to filter by."""

    column: Name
    label: Name | None = None
    """Column with the name that people know the value by."""
    supported_when: Sql | None = None
    """SELECT of one boolean: can the window's data answer by this dimension at all?"""
    reason: str = ""
    """Why not, when it cannot."""

    @model_validator(mode="after")
    def _says_why(self) -> Dimension:
        if (self.supported_when is None) != (not self.reason):
            raise ValueError("supported_when and reason go together")
        return self


class Definition(_Part):
    """One way to compute the figure, from the parts."""

    title: str
    value: Sql
    unit: Unit
    reason_when_null: str
    numerator: Name | None = None
    denominator: Name | None = None
    is_additive: bool = False
    """A sum or a count: 0 where data exists but nothing matches, and comparable only with days of full history."""


class Coverage(_Part):
    """Which rows show that a day has data."""

    mart: Name
    date: Name
    where: Sql = "true"


class Listing(_Part):
    """What to list when no dimension is asked for: single rows in the order of their rank."""

    columns: dict[Name, Sql]
    value: Name
    """The listed column that the rows are ranked by."""
    where: Sql
    order: Sql


class Curve(_Part):
    """Cases whose survival curve belongs to the figure: for how long each was followed, and whether it ended then."""

    seconds: Sql
    ended: Sql


class Kpi(_Part):
    """A KPI, as its file defines it. All SQL of a KPI is in here; marts go by their bare names.

    SQL may use ``$from``, ``$to`` (business days), ``$days`` (their number), ``$shown_from`` (the first day that is
    shown: of a figure that stands as of a day, the last one alone), ``$known_until`` (the instant up to which the
    sources were known, UTC) and ``$engagement_days``. With the dimension `day` the figures of a day may not depend on
    the days around it that are asked for.
    """

    name: Name
    team: Name
    title: str
    question: str
    formula: str
    version: Annotated[int, Field(ge=1)]
    direction: Literal["up", "down", "none"]
    owner: str
    sources: Annotated[tuple[Name, ...], Field(min_length=1)]
    """Their watermarks say how far the data reaches: the earliest counts."""
    date: Name
    """Column with the business day."""
    is_as_of: bool = False
    """The figure stands as of a day; without the dimension `day` only the last day of the window is shown."""
    marts: tuple[Mart, ...] = ()
    """Tried in order: the first that has all that is asked for answers."""
    relation: Sql | None = None
    """SELECT over marts, instead of ``marts``."""
    dimensions: dict[Name, Dimension]
    coverage: Coverage
    per: tuple[Per, ...] = ()
    """Steps between the rows and the parts, each over the one before it."""
    parts: dict[Name, Sql]
    """Aggregates over additive columns (or over the measures of ``per``)."""
    definitions: dict[Name, Definition]
    default_definition: Name
    listing: Listing | None = None
    curve: Curve | None = None
    synonyms: tuple[str, ...] = ()
    """Other words that people look for it by, in any language."""

    @field_validator("parts", "definitions")
    @classmethod
    def _not_empty(cls, value: dict[str, object]) -> dict[str, object]:
        if not value:
            raise ValueError("may not be empty")
        return value

    @model_validator(mode="after")
    def _agrees(self) -> Kpi:
        if bool(self.marts) == bool(self.relation):
            raise ValueError("needs either marts or a relation")
        if self.default_definition not in self.definitions:
            raise ValueError(f"default_definition {self.default_definition!r} is not among its definitions")
        for name, definition in self.definitions.items():
            for part in (definition.numerator, definition.denominator):
                if part is not None and part not in self.parts:
                    raise ValueError(f"definition {name!r} names {part!r}, which is not among its parts")
        for mart in self.marts:
            if unknown := mart.parts.keys() - self.parts.keys():
                raise ValueError(f"mart {mart.name!r} changes parts that do not exist: {sorted(unknown)}")
        if self.listing and self.listing.value not in self.listing.columns:
            raise ValueError(f"listing.value {self.listing.value!r} is not among its columns")
        return self

    @property
    def unit(self) -> Unit:
        """Give the unit of the default definition."""
        return self.definitions[self.default_definition].unit


@cache
def load_kpis(folder: Path = MARTS) -> dict[str, Kpi]:
    """Read every KPI file below ``folder``, by team and name.

    Raises:
        ContractError: a file that is no YAML, has unknown or missing fields, or stands under another name or team.

    """
    kpis = [read_kpi(file) for file in sorted(folder.glob("*/kpi_*.yml"))]
    return {kpi.name: kpi for kpi in kpis}


def read_kpi(file: Path) -> Kpi:
    """Read one KPI file.

    Raises:
        ContractError: as `load_kpis`.

    """
    import yaml

    shown = f"{file.parent.name}/{file.name}"
    try:
        kpi = Kpi.model_validate(read_yaml(file))
    except yaml.YAMLError as error:
        raise ContractError(f"{shown} is not YAML: {error}", hint="Correct the file.") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ContractError(f"{shown}: {place}: {first['msg']}", hint="Correct the KPI's file.") from error
    if (kpi.team, f"kpi_{kpi.name}") != (file.parent.name, file.stem):
        raise ContractError(
            f"{shown} defines {kpi.team}/{kpi.name}.", hint="A KPI's file is marts/<team>/kpi_<name>.yml."
        )
    return kpi
