"""Catalogues hold every message, and figures read as people of a language write them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from shoplake.errors import InputError
from shoplake.portal.pages.figures import Figures
from shoplake.portal.pages.filters import DIMENSIONS, read_filters
from shoplake.portal.pages.language import CATALOGUES, LANGUAGES, language_of
from shoplake.portal.pages.sparkline import HEIGHT, MARGIN, sparkline
from tests.conventions import messages

TRANSLATED = [code for code in LANGUAGES if code != "en"]
REACHES = dt.date(2026, 3, 1)
HARD_SPACE = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_catalogue_holds_every_message_and_no_other(code: str) -> None:
    file = CATALOGUES / f"{code}.po"
    assert file.read_bytes() == messages.brought_up(code), "call: python -m tests.conventions.messages"
    assert [m.id for m in messages.catalogue(code) if m.id and not m.string] == []
    assert [m.id for m in messages.catalogue(code) if "%(" in str(m.id) and list(m.check())] == []


@pytest.mark.parametrize(
    ("chosen", "accepted", "tag"),
    [
        (None, "", "en-GB"),
        (None, "en-US,en;q=0.9,de;q=0.8", "en-US"),
        (None, "fr-FR,de-AT;q=0.7,en;q=0.3", "de-AT"),
        ("de", "en-US", "de"),
        ("de", "en-US,de-CH;q=0.1", "de-CH"),
        ("xx", "de-LU", "de"),
        (None, "*, ;q=,a;q=b", "en-GB"),
    ],
)
def test_the_language_is_the_chosen_one_or_the_browsers(chosen: str | None, accepted: str, tag: str) -> None:
    assert language_of(chosen, accepted).tag == tag


@pytest.mark.parametrize(
    ("value", "unit", "english", "german"),
    [
        (Decimal("8028449.65"), "money", "€8,028,449.65", f"8.028.449,65{HARD_SPACE}€"),
        (0.3512, "ratio", "35.1%", f"35,1{HARD_SPACE}%"),
        (16.7257, "score", "16.73", "16,73"),
        (3100, "pairs", "3,100", "3.100"),
        (165, "seconds", "2m 45s", "2 Min. 45 Sek."),
        (None, "money", "–", "–"),
        (float("nan"), "ratio", "nan", "nan"),
    ],
)
def test_figures_read_as_a_language_writes_them(value: object, unit: str, english: str, german: str) -> None:
    for tag, expected in (("en", english), ("de", german)):
        figures = Figures(language_of(tag), "EUR", ZoneInfo("UTC"))
        assert figures.value(value, unit).replace("\N{NARROW NO-BREAK SPACE}", " ") == expected.replace(
            "2 Min.", "2 Min."
        )


def test_a_change_has_its_sign_and_points_for_shares() -> None:
    figures = Figures(language_of("en"), "EUR", ZoneInfo("UTC"))
    assert figures.change(110, 100, "money") == "+10.0 %"
    assert figures.change(0.3, 0.35, "ratio") == "−5.0 points"  # noqa: RUF001
    assert figures.change(5, 0, "count") == figures.change(None, 1, "count") == ""


def test_filters_come_back_out_of_their_address() -> None:
    pairs = [("from", "2026-02-01"), ("to", "2026-02-03"), ("region", "North"), ("region", "South"), ("other", "x")]
    filters = read_filters(pairs, DIMENSIONS)
    assert filters.address("/sales") == "/sales?from=2026-02-01&to=2026-02-03&region=North&region=South"
    assert filters.window(REACHES).days == 3
    assert filters.over("7").without("region").address("/sales") == "/sales?days=7"
    assert read_filters([], DIMENSIONS).address("/sales") == "/sales"


@pytest.mark.parametrize(
    ("preset", "first", "last"),
    [
        ("30", "2026-01-31", "2026-03-01"),
        ("7", "2026-02-23", "2026-03-01"),
        ("month", "2026-03-01", "2026-03-01"),
        ("last-month", "2026-02-01", "2026-02-28"),
    ],
)
def test_presets_end_where_the_data_ends(preset: str, first: str, last: str) -> None:
    window = read_filters([("days", preset)], DIMENSIONS).window(REACHES)
    assert (window.first.isoformat(), window.last.isoformat()) == (first, last)


@pytest.mark.parametrize(
    "pairs",
    [
        [("days", "31")],
        [("from", "yesterday")],
        [("from", "2026-03-02"), ("to", "2026-03-01")],
        [("region", "x" * 201)],
        [("region", str(n)) for n in range(51)],
    ],
)
def test_filters_that_cannot_be_read_are_refused(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(InputError):
        read_filters(pairs, DIMENSIONS)


def test_a_sparkline_has_a_gap_where_a_figure_is_missing() -> None:
    drawn = sparkline([1.0, 2.0, None, 4.0, 1.0])
    assert drawn is not None
    assert [len(line.split()) for line in drawn.lines] == [2, 2]
    assert drawn.lines[0].split()[0].endswith(f",{HEIGHT - MARGIN:.1f}")
    assert sparkline([None, 1.0]) is None
