"""What visitors do on the web shop."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from shoplake.simulator.lines import chosen, json_lines, milliseconds, quoted
from shoplake.simulator.people import BROWSERS, DEVICE_SHARES, DEVICES, People
from shoplake.simulator.products import CATEGORIES, Products
from shoplake.simulator.world import Bools, Ints, World

WEEKDAYS = (1.0, 0.97, 0.98, 1.0, 0.99, 1.05, 1.16)
# Visits by hour of the day; some sessions that begin late cross midnight.
HOURS = np.array([9, 5, 3, 2, 2, 3, 6, 10, 14, 17, 19, 21, 24, 23, 21, 20, 21, 24, 29, 36, 42, 41, 32, 20])
BOUNCES = 0.35
SIGNED_IN = 0.40
LONG_PAUSES = 0.012
"""Share of steps after which the visitor comes back only after more than half an hour."""
OWN_DEVICE = 0.85
EVENT_TYPES = ("View", "Click", "Scroll", None)
EVENT_SHARES = (0.55, 0.245, 0.20, 0.005)
NO_DEVICE, NO_BROWSER = 0.01, 0.02
PAGES = (
    "/", "/search", "/cart", "/checkout", "/account", "/wishlist", "/offers", "/stores", "/help/returns",
    *(f"/category/{name.lower()}" for name, _, _ in CATEGORIES),
)  # fmt: skip
PAGE_WEIGHTS = np.array([14, 12, 8, 4, 4, 2, 6, 2, 2, *(3.5,) * len(CATEGORIES)])
ON_PRODUCT = 0.45
EVENTS_PER_SESSION = BOUNCES + (1 - BOUNCES) * 7.0


class Web:
    """Gives the web events day by day; what goes on after midnight waits for the next day."""

    def __init__(self, world: World, people: People, products: Products) -> None:
        self.world, self.people = world, people
        self.events = world.daily(world.web_events, WEEKDAYS)
        self.drift_day = world.days // 2
        self.pages = [*PAGES, *(f"/product/{product_id}" for product_id in products.ids)]
        self.popularity = np.cumsum(products.popularity)
        self.page_shares = np.cumsum(PAGE_WEIGHTS / PAGE_WEIGHTS.sum())
        self.waiting: list[tuple[int, str]] = []

    def day(self, number: int) -> list[str]:
        """Give the lines of a day in the order of their time."""
        draws = self.world.draws("web", number)
        wanted = int(self.events[number])
        sizes = self._sizes(wanted, draws)
        session = np.repeat(np.arange(len(sizes)), sizes)
        moments = self._moments(number, sizes, draws)
        lines = self._rendered(session, moments, sizes, draws)
        timed = sorted([*self.waiting, *zip(moments.tolist(), lines, strict=True)])
        end = self.world.midnight(number + 1) * 1000
        # After the last day there is no file left that what crosses midnight could wait for.
        self.waiting = [item for item in timed if item[0] >= end]
        today = [line for moment, line in timed if moment < end]
        return _with_referrer(today) if number == self.drift_day else today

    def _sizes(self, wanted: int, draws: np.random.Generator) -> Ints:
        """Give the number of events of each session; they add up to what is wanted."""
        count = int(wanted / EVENTS_PER_SESSION * 1.3) + 20
        is_bounce = draws.random(count) < BOUNCES
        sizes = np.where(is_bounce, 1, 1 + np.minimum(draws.geometric(1 / 6.0, count), 60))
        ends = np.cumsum(sizes)
        last = int(np.searchsorted(ends, max(wanted, 1)))
        taken: Ints = sizes[: last + 1]
        taken[last] -= ends[last] - max(wanted, 1)
        return taken

    def _moments(self, number: int, sizes: Ints, draws: np.random.Generator) -> Ints:
        """Give the epoch millisecond of each event."""
        hour = draws.choice(24, len(sizes), p=HOURS / HOURS.sum())
        starts = (self.world.midnight(number) + hour * 3_600) * 1000 + draws.integers(0, 3_600_000, len(sizes))
        total = int(sizes.sum())
        gaps = np.clip(draws.lognormal(3.2, 1.1, total) * 1000, 400, 1_200_000).astype(np.int64)
        pauses = draws.random(total) < LONG_PAUSES
        gaps[pauses] = draws.integers(1_900_000, 5_400_000, int(pauses.sum()))
        firsts = np.cumsum(sizes) - sizes
        passed = np.cumsum(gaps)
        moments: Ints = np.repeat(starts, sizes) + passed - np.repeat(passed[firsts], sizes)
        return moments

    def _rendered(self, session: Ints, moments: Ints, sizes: Ints, draws: np.random.Generator) -> list[str]:
        count = len(sizes)
        person = np.searchsorted(self.people.visits, draws.random(count))
        is_signed_in = draws.random(count) < SIGNED_IN
        device = draws.choice(len(DEVICES), count, p=DEVICE_SHARES)
        is_own = is_signed_in & (draws.random(count) < OWN_DEVICE)
        device = np.where(is_own, self.people.devices[person], device)
        browsers, browser = _browsers(device, draws)
        ids = draws.bytes(8 * count).hex()
        session_ids = pa.array([ids[16 * place : 16 * place + 16] for place in range(count)])
        shown_device = np.where(draws.random(count) < NO_DEVICE, len(DEVICES), device)
        shown_browser = np.where(draws.random(count) < NO_BROWSER, len(browsers), browser)
        users = pa.array(self.people.ids[person], mask=~is_signed_in)
        kind = draws.choice(len(EVENT_TYPES), len(session), p=EVENT_SHARES)
        is_first = np.diff(session, prepend=-1) != 0
        kind[is_first] = 0
        where = pa.array(session)
        return json_lines(
            {
                "session_id": quoted(session_ids).take(where),
                "user_id": users.take(where),
                "page": chosen(self.pages, self._page_places(is_first, draws)),
                "device_type": chosen((*DEVICES, None), shown_device).take(where),
                "browser": chosen((*browsers, None), shown_browser).take(where),
                "event_type": chosen(EVENT_TYPES, kind),
                "timestamp": milliseconds(moments),
            }
        )

    def _page_places(self, is_first: Bools, draws: np.random.Generator) -> Ints:
        """Choose pages; some visits begin on the front page, the others where a search led."""
        count = len(is_first)
        general = np.searchsorted(self.page_shares, draws.random(count))
        product = np.searchsorted(self.popularity, draws.random(count))
        product = len(PAGES) + np.minimum(product, len(self.popularity) - 1)
        page = np.where(draws.random(count) < ON_PRODUCT, product, np.minimum(general, len(PAGES) - 1))
        page[is_first & (draws.random(count) < 0.4)] = 0  # noqa: PLR2004 - share of visits by the front door
        return page


def _browsers(device: Ints, draws: np.random.Generator) -> tuple[list[str], Ints]:
    """Draw a browser that runs on the device; give all browsers and each session's place among them."""
    names = sorted({name for shares in BROWSERS for name, _ in shares})
    browser = np.empty(len(device), np.int64)
    chance = draws.random(len(device))
    for place, shares in enumerate(BROWSERS):
        mine = device == place
        ends = np.cumsum([share for _, share in shares])
        found = np.minimum(np.searchsorted(ends, chance[mine]), len(shares) - 1)
        browser[mine] = np.array([names.index(name) for name, _ in shares])[found]
    return names, browser


def _with_referrer(lines: list[str]) -> list[str]:
    """Add a column that no contract knows, as a release of the web shop might."""
    return [f'{line[:-1]}, "referrer": "https://search.example/{place % 7}"}}' for place, line in enumerate(lines)]
