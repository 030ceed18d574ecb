"""The files of the log in a folder, and reading them."""

from __future__ import annotations

import re
from pathlib import Path

from shoplake.audit.frames import HEADER, CutOffError, SegmentHeader, frames
from shoplake.audit.marks import Mark

CHAIN = re.compile(r"chain-(\d{2,})")
NAME = re.compile(r"segment-(\d{6})\.log")


def chain_folder(audit: Path, number: int) -> Path:
    """Give the folder of a chain."""
    return audit / f"chain-{number:02d}"


def chain_folders(audit: Path) -> dict[int, Path]:
    """Give the folders of all chains by number."""
    found = ((CHAIN.fullmatch(path.name), path) for path in audit.glob("chain-*"))
    return dict(sorted((int(match.group(1)), path) for match, path in found if match))


def segment_path(folder: Path, number: int) -> Path:
    """Give the path of a segment."""
    return folder / f"segment-{number:06d}.log"


def numbers(folder: Path) -> list[int]:
    """List the segments in a folder, oldest first."""
    found = (NAME.fullmatch(path.name) for path in folder.glob("segment-*.log"))
    return sorted(int(match.group(1)) for match in found if match)


def read_header(path: Path) -> SegmentHeader:
    """Read the header of a segment.

    Raises:
        OSError: there is no such file.
        ValueError: it has none.

    """
    with path.open("rb") as file:
        return SegmentHeader.unpack(file.read(HEADER.size))


def after_header(header: SegmentHeader) -> Mark:
    """Give the place after a segment's header."""
    return Mark(header.log_id, header.number, HEADER.size, header.first_sequence - 1, header.made_at, header.hash)


def last_whole(path: Path, start: Mark) -> Mark:
    """Give the place after the last frame of a segment that follows, by frames that all do, from ``start``."""
    with path.open("rb") as file:
        file.seek(start.offset)
        data = file.read()
    here = start
    try:
        for frame in frames(data, 0):
            if frame.sequence != here.sequence + 1 or not frame.is_chained_to(here.hash):
                break
            here = here._replace(offset=start.offset + frame.end, sequence=frame.sequence, hash=frame.hash)
    except CutOffError:
        pass
    return here
