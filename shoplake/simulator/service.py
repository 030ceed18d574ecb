"""What customers tell customer care, and how a complaint ends."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from shoplake.simulator.lines import chosen, json_lines, milliseconds
from shoplake.simulator.people import People
from shoplake.simulator.world import DAY_SECONDS, Ints, World

WEEKDAYS = (1.2, 1.1, 1.05, 1.0, 1.0, 0.8, 0.7)
TYPES = ("Feedback", "Loyalty", "Complaint")
FEEDBACK, LOYALTY, COMPLAINT = range(3)
TYPE_SHARES = (0.47, 0.24, 0.29)
CHANNELS = ("Email", "App", "Phone", None)
CHANNEL_SHARES = (0.38, 0.40, 0.18, 0.04)
NO_RATING = (0.18, 0.62, 0.34)
RATINGS = ((0.05, 0.08, 0.17, 0.36, 0.34), (0.01, 0.02, 0.12, 0.35, 0.50), (0.46, 0.34, 0.14, 0.04, 0.02))
NO_MESSAGE = 0.25
ANSWERED, COMPLAINED_AGAIN = 0.70, 0.12
"""Of the complaints: answered to the customer's content, and followed by another complaint."""
MEDIAN_ANSWER_SECONDS = 1.7 * DAY_SECONDS
BEGIN, END = 7, 22
MESSAGES = (
    (
        "Quick delivery, thank you!",
        "The new layout of the shop is easier to find my way in.",
        "Staff at the till were kind and patient.",
        "I would like more sizes in the children's range.",
        "Bread was still warm. Très bien!",
        "Parking was full, but the shop itself was fine.",
        "My order came complete, signed A. García.",
    ),
    (
        "Redeemed 500 points, all went well.",
        "Joined the club in store today.",
        "Birthday voucher used, thanks.",
        "Please add the points of my last order; my mail is jo.bell@mail.example.",
        "Gold status reached 🎉",
    ),
    (
        "The parcel came two days late and wet.",
        "I was charged twice for the same basket. Call me on 07700 900461.",
        "Item missing from my order.",
        "The lamp broke on the first evening.",
        "Nobody answered the phone for an hour.",
        "Wrong size sent again; this is Marie Lefèvre, 12 Mill Lane.",
    ),
)


class Service:
    """Gives the interactions day by day; answers to complaints wait for their day."""

    def __init__(self, world: World, people: People) -> None:
        self.world, self.people = world, people
        self.quotas = world.daily(world.interactions, WEEKDAYS)
        self.due = np.empty((0, 3), np.int64)
        """Moment in milliseconds, customer and type of what will follow complaints."""

    def day(self, number: int) -> list[str]:
        """Give the lines of a day in the order of their time."""
        draws = self.world.draws("service", number)
        is_today = self.due[:, 0] < self.world.midnight(number + 1) * 1000
        answers, self.due = self.due[is_today], self.due[~is_today]
        fresh = self._fresh(number, max(int(self.quotas[number]) - len(answers), 0), draws)
        self._follow(number, fresh, draws)
        contacts = np.concatenate([answers, fresh])
        contacts = contacts[np.lexsort(contacts.T[::-1])]
        return self._rendered(contacts, draws)

    def _fresh(self, number: int, count: int, draws: np.random.Generator) -> Ints:
        start, end = (self.world.midnight(number) * 1000 + hour * 3_600_000 for hour in (BEGIN, END))
        moments = draws.integers(start, end, count)
        customers = np.searchsorted(self.people.contacts, draws.random(count))
        return np.column_stack([moments, customers, draws.choice(len(TYPES), count, p=TYPE_SHARES)])

    def _follow(self, number: int, fresh: Ints, draws: np.random.Generator) -> None:
        """Plan what follows the complaints of a day."""
        complaints = fresh[fresh[:, 2] == COMPLAINT]
        chance = draws.random(len(complaints))
        kinds = np.where(draws.random(len(complaints)) < 0.7, FEEDBACK, LOYALTY)  # noqa: PLR2004 - mostly feedback
        kinds[chance >= ANSWERED] = COMPLAINT
        follows = chance < ANSWERED + COMPLAINED_AGAIN
        wait = draws.lognormal(np.log(MEDIAN_ANSWER_SECONDS), 0.9, len(complaints)) * 1000
        later = complaints[:, 0] + wait.astype(np.int64)
        # Nobody answers on the same day; what was solved by then is told on the next.
        morning = self.world.midnight(number + 1) * 1000 + draws.integers(BEGIN, END, len(complaints)) * 3_600_000
        later = np.maximum(later, morning + complaints[:, 0] % 3_600_000)
        planned = np.column_stack([later, complaints[:, 1], kinds])[follows]
        self.due = np.concatenate([self.due, planned])

    def _rendered(self, contacts: Ints, draws: np.random.Generator) -> list[str]:
        moments, customers, kinds = contacts.T
        count = len(contacts)
        rating = np.empty(count, np.int64)
        message = np.empty(count, np.int64)
        texts: list[str | None] = [text for texts in MESSAGES for text in texts]
        for kind, shares in enumerate(RATINGS):
            mine = kinds == kind
            size = int(mine.sum())
            rating[mine] = draws.choice(5, size, p=shares) + 1
            first = sum(len(texts) for texts in MESSAGES[:kind])
            message[mine] = first + draws.integers(0, len(MESSAGES[kind]), size)
        is_unrated = draws.random(count) < np.array(NO_RATING)[kinds]
        message[draws.random(count) < NO_MESSAGE] = len(texts)
        return json_lines(
            {
                "customer_id": pa.array(self.people.ids[customers]),
                "interaction_type": chosen(TYPES, kinds),
                "channel": chosen(CHANNELS, draws.choice(len(CHANNELS), count, p=CHANNEL_SHARES)),
                "rating": pa.array(rating, mask=is_unrated),
                "message_excerpt": chosen([*texts, None], message),
                "timestamp": milliseconds(moments),
            }
        )
