"""The release that pages show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoplake.home import HomePaths

if TYPE_CHECKING:
    from shoplake.pipeline.manifest import Manifest
    from shoplake.settings import Settings


def current_manifest(settings: Settings) -> Manifest:
    """Give the release that is served; one of nothing before the first."""
    from shoplake.pipeline.releases import current

    return current(settings) or _nothing(settings)


def release_id(settings: Settings) -> str:
    """Give the id of the release that is served; empty before the first."""
    try:
        return HomePaths(settings.home).pointer.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _nothing(settings: Settings) -> Manifest:
    """Give the release that there is before the first one."""
    import datetime as dt

    from shoplake.pipeline.manifest import AuditCounts, Manifest

    return Manifest("", dt.datetime.now(dt.UTC), 0, settings.timezone, "", {}, None, {}, AuditCounts(0, 0))
