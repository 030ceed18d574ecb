"""Makes ``docs/settings.md`` out of the settings: ``python -m tests.conventions.settings_page``."""

from __future__ import annotations

from pathlib import Path

from shoplake.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
HEAD = """# Settings

Each can stand in `settings.toml` in the home, or in the environment, which wins. An unknown name or a value out of
range is an error.

| name | environment | default | what |
|---|---|---|---|
"""
MACHINE = {"threads": "the number of cores", "home": "`./.shoplake`"}
"""Defaults that differ from machine to machine."""


def page() -> str:
    """Give the text that the page must have."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = MACHINE.get(name, f"`{field.default!r}`".replace("'", '"'))
        rows.append(f"| `{name}` | `SHOPLAKE_{name.upper()}` | {default} | {field.description} |\n")
    return HEAD + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
