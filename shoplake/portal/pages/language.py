"""The language of a page: its words from a catalogue, its formats from the CLDR by Babel."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from babel import Locale, UnknownLocaleError, negotiate_locale

if TYPE_CHECKING:
    from babel.support import NullTranslations

CATALOGUES = Path(__file__).parents[1] / "locale"
LANGUAGES = {"en": "English", "de": "Deutsch"}
DEFAULT = "en_GB"
LOCALES = ("en_GB", "en_US", "de", "de_AT", "de_CH")


@dataclass(frozen=True)
class Language:
    """One language as one region writes it."""

    locale: Locale
    words: NullTranslations = field(repr=False, compare=False)

    @property
    def tag(self) -> str:
        """Give the language tag of HTML."""
        return str(self.locale).replace("_", "-")

    def text(self, message: str, **values: object) -> str:
        """Give a message in this language; one that the catalogue lacks stays as it is."""
        found = self.words.gettext(message) if message else ""
        return found % values if values else found


def language_of(chosen: str | None, accepted: str = "") -> Language:
    """Give the language of a person: the chosen one, else the first of the browser's that there is.

    Args:
        chosen: ``en`` or ``de``, as the person has set it; anything else counts as not chosen.
        accepted: the header ``Accept-Language``.

    """
    wanted = _tags(accepted)
    if chosen in LANGUAGES:
        wanted = [tag for tag in wanted if tag.split("_")[0] == chosen] + [chosen]
    found = negotiate_locale(wanted, LOCALES) or next((f for tag in wanted if (f := _known(tag))), DEFAULT)
    return _language(found)


def _tags(accepted: str) -> list[str]:
    """Give the tags of a header in the order of its weights."""
    weighed = []
    for item in accepted[:200].split(","):
        tag, _, weight = item.strip().partition(";q=")
        if tag:
            weighed.append((-_weight(weight), tag.replace("-", "_")))
    return [tag for _, tag in sorted(weighed, key=lambda one: one[0])]


def _weight(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0


def _known(tag: str) -> str | None:
    """Give the locale for a bare language or for a region that has no formats here."""
    language = tag.split("_", maxsplit=1)[0]
    return DEFAULT if language == "en" else language if language in LANGUAGES else None


@cache
def _language(tag: str) -> Language:
    try:
        locale = Locale.parse(tag)
    except (UnknownLocaleError, ValueError):
        locale = Locale.parse(DEFAULT)
    return Language(locale, _words(locale.language))


@cache
def _words(language: str) -> Any:  # noqa: ANN401 - two kinds of translations, of which one is the other's base
    """Read a catalogue; English is what the messages are written in."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po
    from babel.support import NullTranslations, Translations

    file = CATALOGUES / f"{language}.po"
    if not file.is_file():
        return NullTranslations()
    with file.open("rb") as source:
        catalogue = read_po(source, locale=language)
    made = io.BytesIO()
    write_mo(made, catalogue)
    made.seek(0)
    return Translations(made)
