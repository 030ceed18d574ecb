"""Segment messages become events of a contract; what has no place in the contract is left out before anything is kept.

The forms are those of Segment's HTTP API and its public libraries: a message of one type a request, or a batch.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from shoplake.collector.body import BOM, FIELDS_PER_EVENT, SPACE
from shoplake.collector.refusal import Refusal
from shoplake.collector.user_agent import read_agent
from shoplake.lake.streaming import EVENT_ID

if TYPE_CHECKING:
    from shoplake.contracts import Contract

BATCH = "batch"
PAGES = {"page", "screen"}
KEPT = PAGES | {"track"}
"""Types of messages that are events; the others describe persons, for whom no contract has a place."""
NOT_KEPT = {"identify", "group", "alias"}
STEADY_SECONDS = 10.0
"""A clock that differs by less is right: so much may be the way through the network, which differs at each retry."""
MILLISECONDS_FROM = 1e11
DAY_SECONDS = 86_400
SESSION_ID_BYTES = 16
ORIGIN_OF_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
ACTIONS = {"clicked": "click", "scrolled": "scroll", "viewed": "view"}
WHOLE = re.compile(r"[+-]?\d{1,20}")
INT64 = 1 << 63
HANDHELD_SYSTEMS = {"ios", "android"}


@dataclass
class Mapped:
    """The events of a body."""

    lines: list[bytes] = field(default_factory=list)
    """One JSON object each, with no field that the contract does not have, but ``event_id``."""
    places: list[int] = field(default_factory=list)
    """For each line, the place (from 0) of its message in the batch."""
    ignored: Counter[str] = field(default_factory=Counter)
    """Messages that are no events, by type."""


class SegmentMapper:
    """Maps messages to one contract. It keeps nothing between them; any thread may use it."""

    def __init__(
        self, contract: Contract, session_key: bytes, timezone: str, *, clock: Callable[[], float] = time.time
    ) -> None:
        """Map to ``contract``; ``session_key`` hides the anonymous ids, ``timezone`` is that of the business day."""
        self.source = contract.source
        self._fields = {f.name for f in contract.fields} | {EVENT_ID}
        self._allowed = {f.name: {a.casefold(): a for a in f.allowed or ()} for f in contract.fields}
        self._key, self._zone, self._clock = session_key, ZoneInfo(timezone), clock

    def map(self, body: bytes, kind: str, most_events: int) -> Mapped:
        """Map a body of ``kind``: `BATCH`, or the type of its one message.

        Raises:
            Refusal: it is no such body, or holds more than ``most_events`` messages.

        """
        import msgspec

        messages, sent_at, shared = _messages(body, kind, most_events)
        mapped, received = Mapped(), self._clock()
        for place, message in enumerate(messages):
            called = _at(message, "type") if kind == BATCH else kind
            if not isinstance(called, str) or called not in KEPT:
                mapped.ignored[called if isinstance(called, str) and called in NOT_KEPT else "unknown"] += 1
                continue
            row = self._row(_Message(message, shared, called), sent_at, received)
            mapped.places.append(place)
            mapped.lines.append(msgspec.json.encode(row))
        return mapped

    def _row(self, message: _Message, sent_at: object, received: float) -> dict[str, Any]:
        device, browser = message.device_and_browser()
        moment = _moment_of(message, sent_at, received)
        row = {
            "session_id": self._session(message, moment, received),
            "user_id": _whole_number(message.at("userId")),
            "page": message.page(),
            "device_type": self._spelled("device_type", device),
            "browser": browser,
            "event_type": self._spelled("event_type", message.action()),
            "timestamp": moment,
            EVENT_ID: _text(message.at("messageId")),
        }
        return {name: value for name, value in row.items() if value is not None and name in self._fields}

    def _session(self, message: _Message, moment: float | str | None, received: float) -> str | None:
        """Give the visit: as the sender names it, or one a business day for each anonymous id, which is not kept.

        A name of digits alone is a time in milliseconds, in most libraries: only with the anonymous id it is one visit.
        """
        given, anonymous = message.session(), _text(message.at("anonymousId"))
        if given is not None and not (given.isdigit() and anonymous):
            return given
        if anonymous is None:
            return None
        seconds = moment if isinstance(moment, float) and 0 < moment < received + DAY_SECONDS else received
        at = dt.datetime.fromtimestamp(seconds, self._zone)
        hidden = "\0".join([given or at.date().isoformat(), anonymous]).encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, hidden, hashlib.sha256)[:SESSION_ID_BYTES].hex()

    def _spelled(self, name: str, value: str | None) -> str | None:
        return self._allowed.get(name, {}).get(value.casefold(), value) if value else None


@dataclass(frozen=True)
class _Message:
    content: dict[str, Any]
    shared: object
    """The context of the batch, for what a message's own does not say."""
    kind: str

    def at(self, *names: str) -> Any:  # noqa: ANN401 - whatever was sent
        return _at(self.content, *names)

    def context(self, *names: str) -> Any:  # noqa: ANN401 - whatever was sent
        own = _at(self.content, "context", *names)
        return _at(self.shared, *names) if own is None else own

    def session(self) -> str | None:
        places = (self.context("sessionId"), *(self.at("properties", n) for n in ("session_id", "sessionId")))
        return next((text for text in map(_text, places) if text), None)

    def page(self) -> str | None:
        """Give the path, without host, query and fragment; a page that names none goes by its name."""
        return next((page for page in self._pages() if page), None)

    def _pages(self) -> Iterator[str | None]:
        for name in ("path", "url"):
            yield _path(self.at("properties", name))
            yield _path(self.context("page", name))
        if self.kind in PAGES:
            yield _text(self.at("name"))
            yield _text(self.at("properties", "name"))

    def action(self) -> str | None:
        if self.kind in PAGES:
            return "View"
        name = _text(self.at("event"))
        return ACTIONS.get(name.casefold(), name) if name else None

    def device_and_browser(self) -> tuple[str | None, str | None]:
        agent = _text(self.context("userAgent"))
        device, browser = read_agent(agent) if agent else (None, None)
        given = _text(self.context("device", "type"))
        if given and given.casefold() in HANDHELD_SYSTEMS:
            model = (_text(self.context("device", "model")) or "").casefold()
            return ("Tablet" if "ipad" in model or "tablet" in model else "Mobile"), browser
        if given is None and device is None and self.context("userAgentData", "mobile") is True:
            device = "Mobile"
        return given or device, browser


def _messages(body: bytes, kind: str, most_events: int) -> tuple[list[Any], object, object]:
    """Give the messages of a body, when it was sent, and the context that they share."""
    import msgspec

    if body.count(b",") > FIELDS_PER_EVENT * most_events:
        raise _too_many(most_events)
    try:
        content = msgspec.json.decode(body.removeprefix(BOM).strip(SPACE))
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise Refusal(400, "body", "The body is not valid JSON.", "Send a message as Segment's libraries do.") from None
    messages = content.get("batch") if kind == BATCH and isinstance(content, dict) else [content]
    if not isinstance(content, dict) or not isinstance(messages, list) or not messages:
        what = '{"batch": [...]} with a message in it' if kind == BATCH else "a JSON object"
        raise Refusal(400, "body", f"The body is not {what}.", "Send a message as Segment's libraries do.")
    if len(messages) > most_events:
        raise _too_many(most_events)
    return messages, content.get("sentAt"), content.get("context") if kind == BATCH else None


def _too_many(most_events: int) -> Refusal:
    return Refusal(413, "too_many", f"The body holds more than {most_events} messages.", "Send fewer in a request.")


def _moment_of(message: _Message, sent_at: object, received: float) -> float | str | None:
    """Give the moment in seconds since 1970, by our clock: the sender's may be wrong, but it was as wrong at sending.

    Segment's rule: timestamp = received - (sentAt - original timestamp). A message that has passed Segment brings the
    corrected time already.
    """
    given, original = message.at("timestamp"), message.at("originalTimestamp")
    is_corrected = given is not None and message.at("receivedAt") is not None
    if original is not None and not is_corrected:
        given = original
    if given is None:
        return round(received, 3)
    moment = _moment(given)
    if moment is None:
        # The checks say what is wrong with it.
        return _text(given)
    sent = None if is_corrected else _moment(message.at("sentAt") or sent_at)
    skew = received - sent if sent is not None else 0.0
    return round(moment + (skew if abs(skew) > STEADY_SECONDS else 0.0), 3)


def _moment(value: object) -> float | None:
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value / 1000 if value > MILLISECONDS_FROM else value)
        found = dt.datetime.fromisoformat(value) if isinstance(value, str) else None
        return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).timestamp() if found else None
    except (ValueError, OverflowError):
        return None


def _whole_number(value: object) -> int | None:
    """Give a customer's number; any other id is no customer of the contract, and may be an address: it is left out."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and WHOLE.fullmatch(value.strip()):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and -INT64 <= value < INT64:
        return value
    return None


def _path(value: object) -> str | None:
    text = _text(value)
    if text is None:
        return None
    path = re.split(r"[?#]", ORIGIN_OF_URL.sub("", text), maxsplit=1)[0].strip()
    return path or "/"


def _text(value: object) -> str | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return (value.strip() or None) if isinstance(value, str) else None


def _at(content: object, *names: str) -> Any:  # noqa: ANN401 - whatever was sent
    for name in names:
        content = content.get(name) if isinstance(content, dict) else None
    return content
