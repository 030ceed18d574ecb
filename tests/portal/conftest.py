"""One service serves the tests that leave its home as it is but for users' sessions and tokens."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest

from shoplake.settings import Settings, load_settings
from tests.access.released import own_released, released
from tests.portal.serving import Serving, token_of

__all__ = ["own_released", "released"]
As = Callable[[str], httpx.Client]


@pytest.fixture(scope="session")
def served(released: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Give a running service without a stream, over a copy of the released home."""
    home = tmp_path_factory.mktemp("served") / "home"
    shutil.copytree(released.home, home)
    with Serving(load_settings(home), "--no-stream") as serving:
        yield serving


@pytest.fixture(scope="session")
def as_user(served: Serving) -> Iterator[As]:
    """Give a client for each user, with a token of theirs."""
    known: dict[str, httpx.Client] = {}
    with ExitStack() as stack:

        def client(user: str) -> httpx.Client:
            if user not in known:
                known[user] = stack.enter_context(served.client(token_of(served.settings, user)))
            return known[user]

        yield client
