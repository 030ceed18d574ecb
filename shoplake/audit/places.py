"""The second place, where signed heads are kept apart from the log: a folder, or an object store by its fsspec URL.

Each head is an object of its own, written once and never again, so that the place may forbid changes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shoplake.audit.heads import Head, public_pem
from shoplake.errors import InputError
from shoplake.files import durable_write


def keep_apart(place: str, head: Head) -> None:
    """Write a head, and the public key that it is signed with, to the second place.

    Raises:
        OSError: the place cannot be written.
        InputError: it is a URL of a kind that nothing here can write.

    """
    name = f"{head.log}/{head.at[:10]}/{head.number:09d}.json"
    for path, data in ((f"{head.log}/public-{head.key[:16]}.pem", public_pem(head.key)), (name, head.encoded())):
        if "://" in place:
            files, root = _remote(place)
            target = f"{root.rstrip('/')}/{path}"
            if not files.exists(target):
                files.makedirs(target.rpartition("/")[0], exist_ok=True)
                files.pipe_file(target, data)
        elif not (Path(place) / path).exists():
            (Path(place) / path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            durable_write(Path(place) / path, data)


def heads_apart(place: str, log_id: str) -> list[bytes]:
    """Read the heads of a log from the second place, as they lie there.

    Raises:
        OSError: the place cannot be read.
        InputError: it is a URL of a kind that nothing here can read.

    """
    if "://" not in place:
        if not Path(place).is_dir():
            raise FileNotFoundError(2, "No such folder", place)
        return [path.read_bytes() for path in sorted((Path(place) / log_id).glob("*/*.json"))]
    files, root = _remote(place)
    return [files.cat_file(path) for path in sorted(files.glob(f"{root.rstrip('/')}/{log_id}/*/*.json"))]


def _remote(place: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError as error:
        raise InputError(
            f"{place} needs fsspec, which is not installed.", hint="Install it: pip install 'shoplake[objects]'."
        ) from error
    try:
        files, root = fsspec.url_to_fs(place)
    except (ImportError, ValueError) as error:
        raise InputError(f"{place} cannot be reached: {error}", hint="Install fsspec's package for it.") from error
    return files, root
