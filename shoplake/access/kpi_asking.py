"""How people write what they ask a KPI for."""

from __future__ import annotations

from collections.abc import Iterable

from shoplake.errors import InputError


def filters(pairs: Iterable[str]) -> dict[str, list[str]]:
    """Read ``DIMENSION=VALUE`` pairs; several values of one dimension are alternatives.

    Raises:
        InputError: a pair has no ``=``.

    """
    found: dict[str, list[str]] = {}
    for pair in pairs:
        name, is_pair, value = pair.partition("=")
        if not is_pair:
            raise InputError(f"The filter {pair!r} has no '='.", hint="Write it as region=North.")
        found.setdefault(name.strip(), []).append(value)
    return found
