"""The last hour from the stream: the page follows it by Server-Sent Events, or shows it as it is without scripts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from shoplake.portal.api.live import CONSOLE, MARTS, collector_state, halves, snapshot
from shoplake.portal.pages.answering import PageRoute
from shoplake.portal.pages.assets import load_assets
from shoplake.portal.pages.filters import Filters
from shoplake.portal.pages.pieces import frame
from shoplake.portal.pages.rendering import page
from shoplake.portal.pages.visitors import Visitor, visiting

if TYPE_CHECKING:
    from shoplake.portal.pages.viewer import Viewer

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Follower = Annotated[Visitor, Depends(visiting(CONSOLE))]


@dataclass(frozen=True)
class Figure:
    """One tile."""

    name: str
    """In the counts of its half."""
    half: str
    title: str
    beside: str = ""
    """What is said beside the figure, with a count of the same half in it."""
    beside_name: str = ""
    unit: str = "count"


@dataclass(frozen=True)
class Listing:
    """One table, and the chart that is drawn from it."""

    name: str
    """In the counts of its half."""
    half: str
    title: str
    key: str
    columns: tuple[tuple[str, str], ...]
    """Name and title of each column after the first."""
    key_title: str
    chart: str = ""
    is_wide: bool = False


FIGURES = (
    Figure("events", "web_events", "Events"),
    Figure("sessions", "web_events", "Sessions"),
    Figure("interactions", "interactions", "Interactions"),
    Figure("complaints", "interactions", "Complaints", "of %(count)s interactions", "interactions"),
    Figure("mean_rating", "interactions", "Mean rating", "of %(count)s ratings, from 1 to 5", "ratings", "score"),
)
EVENTS, SESSIONS = ("events", "Events"), ("sessions", "Sessions")
LISTINGS = (
    Listing("minutes", "web_events", "Events a minute", "minute", (EVENTS, SESSIONS), "Minute", "line", is_wide=True),
    Listing("pages", "web_events", "Most visited pages", "page", (EVENTS, SESSIONS), "Page"),
    Listing("devices", "web_events", "Devices", "device", (EVENTS, SESSIONS), "Device", "bars"),
    Listing(
        "minutes",
        "interactions",
        "Interactions a minute",
        "minute",
        (("interactions", "Interactions"), ("complaints", "Complaints")),
        "Minute",
        "line",
    ),
    Listing(
        "types", "interactions", "Kinds of interaction", "type", (("interactions", "Interactions"),), "Type", "bars"
    ),
)
NAMES = {"(none)": "none given", "(other)": "all others"}
REASONS = {
    "no_rating": "No interaction of the last hour has a rating.",
    "no_interaction": "No interaction came in the last hour.",
}
COLLECTORS = {
    "open": "The collector at this address is open and waits for events.",
    "shut": "The collector at this address cannot be opened at the moment; the service's log says why.",
    "none": "No collector runs at this address. Events come once shoplake collect or shoplake consume runs.",
}
SHOWN_PAGES = 12


@router.get("/live")
async def live(request: Request, visitor: Follower) -> Response:
    """Show the last hour."""
    is_plain = "plain" in request.query_params or not load_assets().address("htmx.js")
    viewer = visitor.viewer()
    counts = await snapshot(visitor.service, visitor.identity) if is_plain else {}
    seen = halves(viewer.rights)
    text = visitor.language.text
    shown: dict[str, Any] = {
        "is_plain": is_plain,
        "seen": seen,
        "figures": [figure for figure in FIGURES if figure.half in seen],
        "listings": [listing for listing in LISTINGS if listing.half in seen],
        "collectors": {name: text(words) for name, words in COLLECTORS.items()},
        "collector": collector_state(visitor.service),
        "reasons": {name: text(words) for name, words in REASONS.items()},
        "names": {name: text(words) for name, words in NAMES.items()},
        "zone": str(viewer.clock.zone),
        "released": {half: _released(viewer, half) for half in MARTS},
        "value": lambda figure: _value(viewer, counts, figure),
        "beside": lambda figure: _beside(viewer, counts, figure),
        "rows": lambda listing: _rows(viewer, counts, listing),
        "has_any": lambda half: bool(counts.get(half, {}).get(_total(half))),
        "newest": lambda half: _moment(viewer, counts.get(half, {}).get("newest_at")),
        "shown_pages": SHOWN_PAGES,
    }
    around = frame(request, visitor, viewer, "", Filters())
    return page("live.html", visitor.language, visitor.theme, **around, **shown)


def _total(half: str) -> str:
    return "events" if half == "web_events" else "interactions"


def _value(viewer: Viewer, counts: Mapping[str, Any], figure: Figure) -> str:
    value = counts.get(figure.half, {}).get(figure.name)
    return "" if value is None else viewer.figures.value(value, figure.unit)


def _beside(viewer: Viewer, counts: Mapping[str, Any], figure: Figure) -> str:
    half = counts.get(figure.half, {})
    if figure.name == "mean_rating" and half.get("mean_rating") is None:
        return viewer.language.text(REASONS.get(half.get("mean_rating_reason", ""), ""))
    if not figure.beside or not half:
        return ""
    count = viewer.figures.value(half.get(figure.beside_name), "count")
    return viewer.language.text(figure.beside, count=count)


def _rows(viewer: Viewer, counts: Mapping[str, Any], listing: Listing) -> list[tuple[str, list[str]]]:
    found = counts.get(listing.half, {}).get(listing.name, [])
    if listing.name == "pages":
        found = found[:SHOWN_PAGES]
    return [
        (
            _key(viewer, listing, str(row[listing.key])),
            [viewer.figures.value(row[name], "count") for name, _ in listing.columns],
        )
        for row in found
    ]


def _key(viewer: Viewer, listing: Listing, key: str) -> str:
    if listing.key == "minute":
        return f"{dt.datetime.fromisoformat(key).astimezone(viewer.clock.zone):%H:%M}"
    return viewer.language.text(NAMES[key]) if key in NAMES else key


def _moment(viewer: Viewer, stamp: str | None) -> str:
    return viewer.figures.moment(dt.datetime.fromisoformat(stamp)) if stamp else ""


def _released(viewer: Viewer, half: str) -> str:
    """Say how far what has been released of a source reaches; empty before the first release."""
    mark = viewer.manifest.watermarks.get(half)
    return viewer.figures.moment(mark) if mark else ""
