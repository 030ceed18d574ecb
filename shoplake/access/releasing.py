"""Which parts of tables the present users need, and their release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoplake.access.login import identity_of, open_logins
from shoplake.access.policy import load_policy
from shoplake.access.rights import Rights
from shoplake.home import TURN_SECONDS

if TYPE_CHECKING:
    from shoplake.pipeline.manifest import View
    from shoplake.settings import Settings


def needed_views(settings: Settings) -> list[View]:
    """Give every part of a table that some active user sees, each once; a role that is in no policy sees nothing.

    Raises:
        PolicyError: the policy cannot be read.

    """
    policy = load_policy(settings)
    with open_logins(settings) as logins:
        users = [user for user in logins.users.list() if user.disabled_at is None and user.role in policy.roles]
    found = {view.view_id: view for user in users for view in Rights.of(settings, identity_of(user)).views()}
    return [found[name] for name in sorted(found)]


def apply(settings: Settings, *, wait_seconds: float = TURN_SECONDS) -> tuple[int, int]:
    """Make the served release hold exactly the views that the present users and policy call for.

    Returns:
        The number of views made, and of those dropped.

    Raises:
        PolicyError: the policy cannot be read.
        LockedError: another process was changing the home all the time.

    """
    from shoplake.pipeline.views import show

    return show(settings, needed_views(settings), wait_seconds=wait_seconds)
