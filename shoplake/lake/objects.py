"""Where a lake object lies."""

from __future__ import annotations

from pathlib import Path

from shoplake.home import HomePaths


def lake_key(source: str) -> str:
    """Name the data key of a source's lake files."""
    return f"lake_{source}"


def lake_object_path(paths: HomePaths, source: str, kind: str, name: str, key_version: int) -> Path:
    """Give the file of an object: ``lake/<source>[/quarantine]/<name>.v<key version>.parquet``."""
    folder = paths.lake / source
    if kind == "quarantine":
        folder /= "quarantine"
    return folder / f"{name}.v{key_version}.parquet"
