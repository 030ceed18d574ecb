"""The benchmarks' page keeps what is measured apart."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench import kept
from bench.section import section, with_rest

OLD = "# Page\n\n## Lines\n\n1\n\n## Audit\n\n- 2\n\n## Streams\n\n3\n\n## Where and when\n\nhere\n"
NEW = "# Page\n\n## Lines\n\n10\n\n## Where and when\n\nthere\n"


def test_a_page_written_anew_keeps_the_sections_of_others() -> None:
    page = with_rest(NEW, OLD)
    assert [line for line in page.split("\n") if line] == [
        *("# Page", "## Lines", "10", "## Audit", "- 2", "## Streams", "3", "## Where and when", "there")
    ]
    assert with_rest(NEW, "") == NEW


def test_what_a_measurement_prints_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text(OLD, encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["kept", "Audit", "this", "-s"])
    monkeypatch.setattr(sys, "executable", "echo")
    assert kept.main(page) == 0
    text = page.read_text(encoding="utf-8")
    assert section(text, "Audit") == "## Audit\n\nPrinted by `python -m this -s`:\n\n- -m this -s\n\n"
    assert section(text, "Streams") == section(OLD, "Streams")
