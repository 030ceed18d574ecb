"""Makes a home: folders that only the owner may enter, keys, operational store, inboxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoplake.audit.recording import showing
from shoplake.errors import HomeError
from shoplake.home import HomePaths, home_lock

if TYPE_CHECKING:
    from shoplake.settings import Settings


def init_home(settings: Settings) -> None:
    """Make the home; a second call changes nothing.

    Raises:
        HomeError: the folder cannot be made or written.
        KeyAccessError: there are keys already and they cannot be opened.

    """
    from shoplake.contracts import load_contracts
    from shoplake.keys.keyring import Keyring
    from shoplake.keys.tls import ensure_authority
    from shoplake.store.engine import open_store

    paths = HomePaths(settings.home)
    try:
        for folder in (settings.home, *paths.folders()):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for source in load_contracts(settings):
            (paths.landing / source).mkdir(exist_ok=True, mode=0o700)
    except OSError as error:
        raise HomeError(
            f"The home {settings.home} cannot be made: {error.strerror}.",
            hint="Choose another folder by SHOPLAKE_HOME or --home.",
        ) from error
    with home_lock(settings, wait_seconds=30):
        keyring = Keyring.open(settings) if paths.keyring.is_file() else Keyring.create(settings)
        open_store(settings, keyring, migrate=True).close()
        ensure_authority(settings)
        with showing(settings, "init"):
            pass
