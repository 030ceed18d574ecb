"""Pages that are made from code say what the code says, and no page points at one that is missing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shoplake.settings import Settings
from tests.conventions import kpi_page, settings_page

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_kpi_page_is_made_from_the_kpi_files() -> None:
    made = kpi_page.PAGE.read_text(encoding="utf-8")
    assert made == kpi_page.page(), "call: python -m tests.conventions.kpi_page"


def test_the_settings_page_is_made_from_the_settings() -> None:
    made = settings_page.PAGE.read_text(encoding="utf-8")
    assert made == settings_page.page(), "call: python -m tests.conventions.settings_page"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_says_what_it_is(name: str) -> None:
    assert Settings.model_fields[name].description


@pytest.mark.parametrize("source", PAGES, ids=lambda p: p.name)
def test_links_of_a_page_lead_somewhere(source: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", source.read_text(encoding="utf-8"))
    assert [t for t in targets if not (source.parent / t).exists()] == []
