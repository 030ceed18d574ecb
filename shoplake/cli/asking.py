"""Commands that look at a release as one user may: who that is, and whether they may take rows out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shoplake.access.identity import Identity
    from shoplake.settings import Settings


def asking(settings: Settings, user: str | None, what: str, style: str) -> Identity | None:
    """Give the user who is to be shown something; None for the owner of the home.

    CSV and JSON are exports: they take rows out.

    Raises:
        NotFoundError: there is no such user.
        AccessDenied: the user is disabled, or may not export this.

    """
    from shoplake.access.login import person
    from shoplake.access.rights import Rights

    if user is None:
        return None
    identity = person(settings, user)
    if style != "table":
        rights = Rights.of(settings, identity)
        rights.require(rights.may_export(what), f"export from {what} (print it as a table instead)")
    return identity
