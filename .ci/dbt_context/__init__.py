"""What sqlfluff's templater needs of dbt beyond its own stand-ins, so that it reads models without dbt."""

from pathlib import Path
from types import SimpleNamespace

import yaml

_ROOT = Path(__file__).resolve().parents[2]
_VARIABLES: dict[str, str | int] = yaml.safe_load((_ROOT / "shoplake" / "dbt_project.yml").read_text("utf-8"))["vars"]

model = SimpleNamespace(name="model")
adapter = SimpleNamespace(quote=lambda name: f'"{name}"')


def var(name: str) -> str | int:
    """Give a variable's default."""
    return _VARIABLES[name]
