"""Keeps what people at a browser have asked, beside their answers and never in the way of them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from shoplake.errors import ShoplakeError
from shoplake.portal.lanes import Lane

if TYPE_CHECKING:
    from shoplake.portal.open_logins import OpenLogins
    from shoplake.store.queries import AskedQuery

log = logging.getLogger("shoplake.portal")
MOST_WAITING = 256


class Remembering:
    """Writes one question after the other; one that the store is too busy for is left out, and the log says so."""

    def __init__(self, logins: OpenLogins) -> None:
        """Write into the open store."""
        self._logins = logins
        self.lane = Lane("remembering", threads=1, most_waiting=MOST_WAITING)
        self._going_on = set[asyncio.Task[None]]()

    def keep(self, asked: AskedQuery) -> None:
        """Have a question kept; returns at once."""
        task = asyncio.ensure_future(self._keep(asked))
        self._going_on.add(task)
        task.add_done_callback(self._going_on.discard)

    async def _keep(self, asked: AskedQuery) -> None:
        try:
            await self.lane.run(lambda: self._logins.now().queries().remember(asked))
        except ShoplakeError as error:
            log.warning("a question is not in its person's history: %s", error.message)
        except Exception as error:  # noqa: BLE001 - whatever the driver raises; its text may hold the query
            log.warning("a question is not in its person's history: %s", type(error).__name__)
