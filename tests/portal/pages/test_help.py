"""Help knows every page."""

from __future__ import annotations

import pytest

from shoplake.portal.pages.help import purpose
from shoplake.portal.pages.language import language_of
from shoplake.portal.pages.places import PLACES, Place


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.address)
def test_help_says_what_a_place_is_for(place: Place) -> None:
    assert purpose(language_of("en"), place.address), "add a sentence to purpose in pages/help.py"
