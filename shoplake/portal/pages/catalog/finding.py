"""Search: the words of everything, in every language of the portal, kept in memory; and what was found, to be shown."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoplake.catalogue.opening import Catalogue, open_catalogue
from shoplake.catalogue.search import Found, Index
from shoplake.portal.pages.catalog.naming import address_of, kind_of, name_of
from shoplake.portal.pages.catalog.sight import Sight
from shoplake.portal.pages.language import LANGUAGES, language_of

if TYPE_CHECKING:
    from shoplake.settings import Settings

WORD = re.compile(r"[^\W_]+")
LONGEST_TEXT = 150


@dataclass(frozen=True)
class Hit:
    """Something that was found."""

    title: tuple[tuple[str, bool], ...]
    """The name in parts; True for those that were looked for."""
    name: str
    """What queries call it, where the title is another."""
    kind: str
    text: str
    is_english: bool
    """Its text is the models', which have no other language."""
    href: str
    is_locked: bool


def index_of(settings: Settings) -> tuple[Catalogue, Index]:
    """Give the catalogue of a home and its index; both are made once for each version of what they are about."""
    catalogue = open_catalogue(settings)
    with _indexing:
        if not _indexed or _indexed[0][0] is not catalogue:
            languages = [language_of(code).text for code in LANGUAGES if code != "en"]
            _indexed[:] = [(catalogue, Index(catalogue, languages))]
        return _indexed[0]


_indexed: list[tuple[Catalogue, Index]] = []
_indexing = threading.Lock()


def hits(sight: Sight, found: list[Found], query: str) -> list[Hit]:
    """Give what was found as a person reads it."""
    looked_for = [word.casefold() for word in WORD.findall(query)]
    return [_hit(sight, one, looked_for) for one in found]


def _hit(sight: Sight, found: Found, looked_for: list[str]) -> Hit:
    ref, language = found.ref, sight.viewer.language
    entry = sight.catalogue.entries[ref.whole]
    column = entry.column(ref.column) if ref.column else None
    is_kpi = entry.kind == "kpi"
    text = column.description if column else entry.description
    title = language.text(entry.title) if is_kpi and not column else name_of(ref)
    is_locked = sight.lock(entry) is not None
    if column and not is_locked and not is_kpi:
        is_locked = sight.column_lock(entry, column.name) is not None
    return Hit(
        title=tuple(_marked(title, looked_for)),
        name=ref.name if is_kpi and not column else "",
        kind=kind_of(language, entry, ref.column),
        text=_cut(language.text(text) if is_kpi else text),
        is_english=not is_kpi,
        href=address_of(ref),
        is_locked=is_locked,
    )


def _marked(text: str, looked_for: list[str]) -> Iterator[tuple[str, bool]]:
    """Give a text in parts, those marked that were looked for."""
    words = [re.escape(word) for word in sorted(looked_for, key=len, reverse=True)]
    if not words:
        yield text, False
        return
    for n, part in enumerate(re.split(f"({'|'.join(words)})", text, flags=re.IGNORECASE)):
        if part:
            yield part, n % 2 == 1


def _cut(text: str) -> str:
    text = text.replace("`", "")
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1].rstrip()}…"
