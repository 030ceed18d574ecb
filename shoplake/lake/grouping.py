"""Which files of a landing go together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from shoplake.lake.relations import Offered
from shoplake.sources.files import FoundFile
from shoplake.sources.shape import Shape

SMALLEST_BATCH, LARGEST_BATCH = 4 << 20, 24 << 20


def waves(files: Sequence[FoundFile]) -> Iterator[list[FoundFile]]:
    """Cut the list where a name comes again: its second file restates the first."""
    wave: dict[str, FoundFile] = {}
    for file in files:
        if file.logical_name in wave:
            yield list(wave.values())
            wave = {}
        wave[file.logical_name] = file
    if wave:
        yield list(wave.values())


def batches(files: Sequence[FoundFile], workers: int) -> Iterator[list[FoundFile]]:
    """Cut files into runs of 4 to 24 MB, even among the workers: what one object holds and one worker lands."""
    sizes = [file.path.stat().st_size for file in files]
    enough = min(max(sum(sizes) / workers, SMALLEST_BATCH), LARGEST_BATCH)
    batch, held = list[FoundFile](), 0
    for file, size in zip(files, sizes, strict=True):
        if batch and held + size / 2 > enough:
            yield batch
            batch, held = [], 0
        batch.append(file)
        held += size
    if batch:
        yield batch


def of_one_shape(files: Iterable[Offered]) -> list[list[Offered]]:
    """Group files that one reader can read together; a Parquet file goes alone."""
    groups: dict[tuple[object, ...], list[Offered]] = {}
    for file in files:
        shape: Shape = file.shape
        key: tuple[object, ...] = (shape.format, shape.compression, shape.delimiter, shape.header)
        key += (shape.reading, bool(shape.odd))
        if shape.format == "parquet":
            key = (file.file_id,)
        groups.setdefault(key, []).append(file)
    return list(groups.values())
