"""Keys of producers: who may send events over HTTP, each change on record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from shoplake.audit.recording import changing, showing
from shoplake.errors import InputError
from shoplake.store.producers import READS_LIVE, Producer, Producers

if TYPE_CHECKING:
    from shoplake.settings import Settings


def add_producer(
    settings: Settings, name: str, sources: Sequence[str], *, reads_live: bool = False, rate_limit: int | None = None
) -> tuple[str, list[str]]:
    """Make a producer.

    Args:
        settings: the home.
        name: of the producer; a revoked one stays taken.
        sources: streams that it may send.
        reads_live: it may read the live window of the collector.
        rate_limit: most events a second.

    Returns:
        Its key, which cannot be had again, and what the key is good for.

    Raises:
        InputError: the name is taken, a source is no stream, or the key would be for nothing.

    """
    from shoplake.lake.streaming import stream_contract

    asked = {"producer": name, "sources": sorted(sources), "reads_live": reads_live or None, "rate_limit": rate_limit}
    with changing(settings, "producers add", **asked), opened(settings) as known:
        if not sources and not reads_live:
            raise InputError("The key would be for nothing.", hint="Name a --source that it may send, or --reads-live.")
        for source in sources:
            stream_contract(settings, source)
        scopes = sorted({*sources, *([READS_LIVE] if reads_live else [])})
        return known.add(name, scopes, rate_limit=rate_limit), scopes


def list_producers(settings: Settings) -> list[Producer]:
    """List the producers by name, revoked ones too."""
    with showing(settings, "producers list") as entry, opened(settings) as known:
        found = known.list()
        entry.rows = len(found)
    return found


def revoke_producer(settings: Settings, name: str) -> None:
    """End a producer's key; a running collector refuses it within seconds.

    Raises:
        NotFoundError: there is no such producer.

    """
    with changing(settings, "producers revoke", producer=name), opened(settings) as known:
        known.revoke(name)


@contextmanager
def opened(settings: Settings) -> Iterator[Producers]:
    """Open the producers of a home.

    Raises:
        HomeError: there is no such home.
        KeyAccessError: its keys or its store do not open.

    """
    from shoplake.home import require_home
    from shoplake.keys.keyring import Keyring
    from shoplake.store.engine import open_store

    require_home(settings)
    store = open_store(settings, Keyring.open(settings))
    try:
        yield Producers(store)
    finally:
        store.close()
