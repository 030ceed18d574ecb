"""The users of a home, held open: each request looks into the store, so that what is revoked ends at once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from shoplake.access.login import Logins, open_logins
from shoplake.errors import AuthenticationFailed
from shoplake.home import HomePaths
from shoplake.keys.rereading import rereads

if TYPE_CHECKING:
    from shoplake.settings import Settings

T = TypeVar("T")
State = tuple[int, int]


class OpenLogins:
    """Any thread may use it. Opened anew when the home's keys have changed, for the store's may be among them."""

    def __init__(self, settings: Settings) -> None:
        """Open nothing yet."""
        self._settings = settings
        self._lock = Lock()
        self._held: tuple[State, Logins, ExitStack] | None = None

    @rereads
    def look(self, read: Callable[[Logins], T]) -> T:
        """Read something; read it again where a change of keys has come between."""
        try:
            return read(self.now())
        except AuthenticationFailed:
            raise
        except Exception:
            self.close()
            raise

    def now(self) -> Logins:
        """Give the logins as they are now.

        Raises:
            HomeError: there is no such home.
            KeyAccessError: its keys or its store do not open.

        """
        state = self._state()
        with self._lock:
            if self._held is None or self._held[0] != state:
                self._drop()
                opened = ExitStack()
                self._held = state, opened.enter_context(open_logins(self._settings)), opened
            return self._held[1]

    def close(self) -> None:
        """Close the store; a connection that a thread still uses closes when it is given back."""
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        if self._held is not None:
            held, self._held = self._held, None
            held[2].close()

    def _state(self) -> State:
        try:
            found = HomePaths(self._settings.home).keyring.stat()
        except OSError:
            return 0, 0
        return found.st_ino, found.st_mtime_ns
