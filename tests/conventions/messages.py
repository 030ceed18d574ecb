"""Finds what the portal says and brings its catalogues up to date: ``python -m tests.conventions.messages``."""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Iterator

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from shoplake.access.kpi_definition import load_kpis
from shoplake.access.policy import load_policy
from shoplake.portal.pages.boards import BOARDS, TITLES
from shoplake.portal.pages.filters import CHOSEN_DAYS, COMPARED, DIMENSIONS, PRESETS
from shoplake.portal.pages.language import CATALOGUES, LANGUAGES
from shoplake.portal.pages.live import COLLECTORS, FIGURES, LISTINGS, NAMES, REASONS
from shoplake.portal.pages.panels import SINGLE_CASES, STEPS, humanised
from shoplake.portal.pages.places import PLACES
from shoplake.settings import Settings

PORTAL = CATALOGUES.parent
IN_TEMPLATES = re.compile(r"""_\(\s*(?:'([^']*)'|"([^"]*)")""")
LISTED = ("out", "low")
PEOPLE = (
    "You cannot change your own account here.",
    "Another administrator can; see your profile.",
    "This is no user name.",
    "Letters, digits and . _ @ - make one, 100 at most.",
    "This user signs in by their company, and has no password here.",
    "The key would be for nothing.",
    "Name a --source that it may send, or --reads-live.",
)
"""What refuses a change of users or keys."""
SPOKEN = {"secret_words", "words", "TOO_LONG", "reason"}
SPOKEN |= {"STATES", "MEANINGS", "CODES", "MEASURES", "UNRUNNABLE", "KIND_TITLES", "OUTCOMES", "CHARACTERS"}
"""Names of what holds messages."""


def messages() -> list[str]:
    """List every message, in the order in which it is found."""
    found = [*_of_templates(), *_of_code(), *_of_pages(), *_of_kpis()]
    return [message for message in dict.fromkeys(found) if message]


def _of_templates() -> Iterator[str]:
    for file in sorted((PORTAL / "templates").glob("*.html")):
        for match in IN_TEMPLATES.finditer(file.read_text(encoding="utf-8")):
            yield match[1] or match[2]


def _of_code() -> Iterator[str]:
    """Give the texts that code hands to a language, and the values of dictionaries and constants that it looks up."""
    for file in sorted((PORTAL / "pages").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _name(node.func) in {"text", "words", "_changed"}:
                yield from (a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str))
            if isinstance(node, ast.Assign) and _name(node.targets[0]) in SPOKEN:
                yield from _strings(node.value)
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                yield from (s for a in [*node.exc.args, *(k.value for k in node.exc.keywords)] for s in _strings(a))


def _strings(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    if isinstance(node, ast.Dict):
        yield from (s for value in node.values for s in _strings(value))


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _of_pages() -> Iterator[str]:
    from shoplake.access.login import WRONG
    from shoplake.portal.pages.admin import BUSY, SAID, SHOWN_ONCE, TABS
    from shoplake.portal.pages.admin_keys import KEY_WORDS
    from shoplake.portal.pages.answering import TITLES as FAILURES

    yield from TITLES.values()
    yield from (place.title for place in PLACES)
    yield from FAILURES.values()
    yield from ("This address leads nowhere.", WRONG, "After a few attempts in a row you have to wait.")
    yield from ("There were too many failed attempts.", "The pages at the top lead to what there is.")
    yield from PRESETS.values()
    yield from (*COMPARED.values(), CHOSEN_DAYS, SINGLE_CASES)
    yield from (*SAID.values(), BUSY, SHOWN_ONCE, KEY_WORDS, *(title for _, title, _ in TABS))
    yield from PEOPLE
    yield from DIMENSIONS
    yield from STEPS.values()
    yield from LISTED
    yield from _of_live()
    for panels in BOARDS.values():
        for panel in panels:
            yield panel.title


def _of_live() -> Iterator[str]:
    for figure in FIGURES:
        yield from (figure.title, figure.beside)
    for listing in LISTINGS:
        yield from (listing.title, listing.key_title, *(title for _, title in listing.columns))
    for known in (NAMES, REASONS, COLLECTORS):
        yield from known.values()
    yield from load_policy(Settings()).sensitivities


def _of_kpis() -> Iterator[str]:
    for kpi in load_kpis().values():
        yield from (kpi.title, kpi.question, kpi.formula)
        for definition in kpi.definitions.values():
            yield from (definition.title, definition.reason_when_null)
        for name, dimension in kpi.dimensions.items():
            yield from (name, dimension.reason)
        yield from (humanised(part) for part in kpi.parts)
        if kpi.listing:
            yield from (humanised(column.removesuffix("_name")) for column in kpi.listing.columns)


def catalogue(language: str) -> Catalog:
    """Read a catalogue."""
    with (CATALOGUES / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def brought_up(language: str) -> bytes:
    """Give a catalogue's file with every message and none besides, translations kept."""
    file = CATALOGUES / f"{language}.po"
    known = catalogue(language) if file.is_file() else Catalog(locale=language)
    made = Catalog(locale=language, project="shoplake", fuzzy=False)
    for message in messages():
        before = known.get(message)
        made.add(message, before.string if before else "", flags=["python-format"] if "%(" in message else [])
    text = io.BytesIO()
    write_po(text, made, width=120, omit_header=True)
    return text.getvalue()


if __name__ == "__main__":
    for code in LANGUAGES:
        if code != "en":
            (CATALOGUES / f"{code}.po").write_bytes(brought_up(code))
