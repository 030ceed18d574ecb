"""Sections of the benchmarks' page that are measured apart: each run replaces its own and keeps the others."""

from __future__ import annotations

import re

LAST = "## Where and when"
"""The page ends with this section; others stand before it."""


def section(page: str, title: str) -> str:
    """Give a section of a page with its heading; empty if there is none."""
    found = re.search(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", page, flags=re.MULTILINE | re.DOTALL)
    return found.group() if found else ""


def with_rest(page: str, before: str) -> str:
    """Add the sections that only the page as it was before has: they are measured apart."""
    for title in re.findall(r"^## (.*)$", before, flags=re.MULTILINE):
        if not section(page, title):
            page = with_section(page, section(before, title))
    return page


def with_section(page: str, text: str) -> str:
    """Put a section, which begins with its heading, in the place of the one of that heading, or before the last."""
    if not text:
        return page
    text = text.rstrip() + "\n\n"
    title = text.partition("\n")[0].removeprefix("## ")
    if old := section(page, title):
        return page.replace(old, text)
    before, last, after = page.partition(LAST)
    return f"{before}{text}{last}{after}" if last else f"{page.rstrip()}\n\n{text.rstrip()}\n"
