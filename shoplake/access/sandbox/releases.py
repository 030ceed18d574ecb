"""What a person may see of a release, remembered until the release, the policy or the files change."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING

import msgspec

from shoplake.pipeline import releases

if TYPE_CHECKING:
    from collections.abc import Hashable

    from shoplake.access.policy import Policy
    from shoplake.access.rights import Rights
    from shoplake.pipeline.manifest import Manifest
    from shoplake.settings import Settings

MOST_KEPT = 64


@dataclass(frozen=True)
class SeenRelease:
    """A release as one person may see it."""

    manifest: Manifest
    """Narrowed: their tables, columns, files and keys."""
    version: tuple[int, int, int]
    """State of the manifest that it was read from."""
    policy: Policy
    digest: str
    """Equal for who sees the same rows of the same release in the same files."""
    keys: tuple[str, ...]
    """Data keys that open it, ``<name>/<version>``."""

    @property
    def release_id(self) -> str:
        """Give the id of the release."""
        return self.manifest.release_id


class SeenReleases:
    """Reads releases as people may see them; for several threads."""

    def __init__(self, settings: Settings) -> None:
        """Read from a home."""
        self._settings = settings
        self._kept: OrderedDict[Hashable, SeenRelease] = OrderedDict()
        self._lock = Lock()

    def seen(self, rights: Rights, release_id: str | None) -> SeenRelease:
        """Give the named or the served release as a person may see it.

        Raises:
            NotFoundError: no such release, or nothing has been released.

        """
        release_id = release_id or releases.served_id(self._settings)
        if release_id is None:
            release_id = releases.required(self._settings, None).release_id
        version = releases.version(self._settings, release_id)
        values = tuple(sorted((name, tuple(values)) for name, values in rights.identity.attributes.items()))
        asked = (release_id, version, rights.identity.role, values, id(rights.policy))
        with self._lock:
            found = self._kept.get(asked)
            if found is None:
                found = self._kept[asked] = self._read(rights, release_id, version)
            self._kept.move_to_end(asked)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return found

    def is_current(self, seen: SeenRelease) -> bool:
        """Say whether the release, its files and the policy are still what they were."""
        from shoplake.access.policy import load_policy
        from shoplake.errors import ShoplakeError

        try:
            is_same = releases.version(self._settings, seen.release_id) == seen.version
            return is_same and load_policy(self._settings) is seen.policy
        except ShoplakeError:
            return False

    def forget(self) -> None:
        """Read anew what is asked for next."""
        with self._lock:
            self._kept.clear()

    def _read(self, rights: Rights, release_id: str, version: tuple[int, int, int]) -> SeenRelease:
        manifest = rights.narrowed(releases.required(self._settings, release_id))
        held = {
            f"{table.key_name}/{partition.key_version}"
            for table in manifest.tables.values()
            for partition in table.partitions
        }
        shown = msgspec.json.encode([release_id, version, manifest.tables], order="deterministic")
        return SeenRelease(manifest, version, rights.policy, sha256(shown).hexdigest(), tuple(sorted(held)))
