"""Every error has a code, a message and a hint, and the command line's exit code."""

from __future__ import annotations

import pytest

from shoplake import errors
from shoplake.errors import ShoplakeError


def kinds() -> list[type[ShoplakeError]]:
    found = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ShoplakeError)]
    return [kind for kind in found if kind is not ShoplakeError]


@pytest.mark.parametrize("kind", kinds())
def test_an_error_gives_the_one_json_shape(kind: type[ShoplakeError]) -> None:
    error = kind("it broke", hint="mend it")
    assert error.as_dict() == {"error": {"code": kind.code, "message": "it broke", "hint": "mend it"}}
    assert str(error) == "it broke"


@pytest.mark.parametrize("kind", kinds())
def test_an_error_ends_a_command_with_1_or_2(kind: type[ShoplakeError]) -> None:
    assert kind.exit_code in {1, 2}


def test_no_two_errors_share_a_code() -> None:
    codes = [kind.code for kind in kinds()]
    assert len(codes) > 5
    assert len(set(codes) | {ShoplakeError.code}) == len(codes) + 1
