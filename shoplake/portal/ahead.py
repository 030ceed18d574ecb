"""Makes the answers of pages before anybody asks: after each release, for the people who use the service.

It works in one thread and waits while anybody is answered, pages and SQL alike. (A thread of low priority would hold
up whoever waits for a table that it reads.) What it makes is shown to nobody; whoever asks for it later finds it known,
and that is on record as theirs.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from threading import Event, Lock, Thread
from types import TracebackType
from typing import TYPE_CHECKING

from shoplake.access.identity import Identity
from shoplake.errors import ShoplakeError

if TYPE_CHECKING:
    from shoplake.access.kpi_answer import KpiAnswer
    from shoplake.access.warm import Warm
    from shoplake.pipeline.manifest import Manifest
    from shoplake.portal.open_logins import OpenLogins
    from shoplake.portal.pages.viewer import Viewer
    from shoplake.settings import Settings

log = logging.getLogger("shoplake.portal")
LOOK_SECONDS = 0.25
LATELY_SECONDS = 3600.0
QUIET_SECONDS = 0.25
"""For so long nobody must have been answered: between two requests of a program that asks on and on there is less."""
LONGEST_WAIT_SECONDS = 5.0
"""Under steady load it takes its turn all the same."""
Kind = tuple[str, tuple[tuple[str, tuple[str, ...]], ...]]
"""A role and its limits: people of one kind have the same answers."""


class Ahead:
    """Runs while it is entered."""

    def __init__(self, settings: Settings, warm: Warm, logins: OpenLogins, quiet: Callable[[], float]) -> None:
        """Make nothing yet; ``quiet`` tells for how many seconds nobody has been answered."""
        self._settings, self._warm, self._logins, self._quiet = settings, warm, logins, quiet
        self.made = 0
        self._seen: OrderedDict[Kind, float] = OrderedDict()
        self._lock, self._stop = Lock(), Event()
        self._thread = Thread(target=self._run, name="ahead", daemon=True)

    def __enter__(self) -> Ahead:
        """Begin."""
        if self._settings.service_ahead:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End with the answer that is under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def saw(self, identity: Identity) -> None:
        """Note that a person looks at pages."""
        with self._lock:
            self._seen[_kind(identity)] = time.monotonic()
            self._seen.move_to_end(_kind(identity))
            while len(self._seen) > self._settings.service_ahead:
                self._seen.popitem(last=False)

    def _run(self) -> None:
        done = ""
        while not self._stop.wait(LOOK_SECONDS):
            try:
                if (served := self._served()) and served != done and self._make_all(served):
                    done = served
            except Exception as error:  # noqa: BLE001 - it may fail, and the service goes on
                log.warning("answers cannot be made ahead: %s", type(error).__name__)
                done = self._served()

    def _served(self) -> str:
        from shoplake.portal.pages.served import release_id

        return release_id(self._settings)

    def _make_all(self, served: str) -> bool:
        """Make what pages ask for; False when another release is served before it is done."""
        from shoplake.pipeline.releases import required

        manifest = required(self._settings, served)
        viewers = [self._viewer(manifest, kind) for kind in self._kinds(served)]
        for make in [*_tiles(viewers), *_tables(viewers)]:
            waited = time.monotonic()
            while self._quiet() < QUIET_SECONDS and time.monotonic() - waited < LONGEST_WAIT_SECONDS:
                if self._stop.wait(0.01):
                    return True
            if self._stop.is_set():
                return True
            if self._served() != served:
                return False
            with suppress(ShoplakeError):  # that a page cannot show it is said when it is asked for
                make()
        return True

    def _kinds(self, served: str) -> Iterator[Kind]:
        """Give the kinds of people, who were here lately first; a stream's release is made ready for those alone."""
        from shoplake.pipeline.releases import STREAM_MARK

        with self._lock:
            lately = [kind for kind, at in self._seen.items() if time.monotonic() - at < LATELY_SECONDS]
        users = [] if served.endswith(STREAM_MARK) else self._logins.look(lambda now: now.users.list())
        known = [_kind(Identity(u.name, u.role, u.attributes)) for u in users if u.disabled_at is None]
        yield from list(dict.fromkeys([*reversed(lately), *known]))[: self._settings.service_ahead]

    def _viewer(self, manifest: Manifest, kind: Kind) -> Viewer:
        from shoplake.portal.pages.language import language_of
        from shoplake.portal.pages.viewer import Viewer

        identity = Identity("ahead", kind[0], dict(kind[1]))
        return Viewer(self._settings, identity, manifest, language_of(None), partial(self._ready, identity))

    def _ready(self, identity: Identity, name: str, **asked: object) -> KpiAnswer:
        from shoplake.access.kpi import make_ready

        found = make_ready(self._settings, name, identity=identity, warm=self._warm, **asked)  # type: ignore[arg-type]
        _ = found.json
        self.made += 1
        return found


def _tiles(viewers: list[Viewer]) -> Iterator[Callable[[], object]]:
    from shoplake.portal.pages.filters import Filters
    from shoplake.portal.pages.tiles import tile

    for viewer in viewers:
        for team in viewer.teams:
            yield from (partial(tile, viewer, kpi, Filters()) for kpi in viewer.kpis(team))


def _tables(viewers: list[Viewer]) -> Iterator[Callable[[], object]]:
    from shoplake.portal.pages.boards import panels
    from shoplake.portal.pages.filters import Filters
    from shoplake.portal.pages.panels import table

    for viewer in viewers:
        for team in viewer.teams:
            by_name = {kpi.name: kpi for kpi in viewer.kpis(team)}
            for panel in panels(team, set(by_name)):
                yield partial(table, viewer, by_name[panel.kpi], panel, Filters(), f"/{team}")


def _kind(identity: Identity) -> Kind:
    return identity.role, tuple(sorted((name, tuple(values)) for name, values in identity.attributes.items()))
