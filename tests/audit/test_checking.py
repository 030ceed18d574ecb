"""A check is on record with what it found, is bounded in time, and a page knows of it without reading the log whole."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shoplake.audit.checking import checked, log_state
from shoplake.audit.entry import new_entry
from shoplake.audit.recording import close_logs, log_of, write
from shoplake.errors import BusyError
from shoplake.home import HomePaths
from shoplake.settings import Settings


@pytest.fixture
def written(make_home: Callable[..., Settings]) -> Settings:
    settings = make_home("made")
    close_logs()
    for number in range(5):
        write(settings, new_entry("kpi", number=number))
    log_of(settings).sign(is_forced=True)
    return settings


def test_a_check_is_remembered_by_its_record(written: Settings) -> None:
    before = log_state(written, seconds=10)
    assert (before.last_check, before.findings, before.looked_back_to, before.has_place_apart) == (
        None,
        None,
        None,
        False,
    )
    assert before.heads >= 1
    assert before.signed_at is not None
    assert before.size_bytes > 0
    assert checked(written).is_whole
    after = log_state(written, seconds=10)
    assert after.findings == 0
    assert after.last_check is not None


def test_a_check_that_takes_too_long_ends_and_says_so(written: Settings) -> None:
    with pytest.raises(BusyError, match="larger than"):
        checked(written, seconds=-1)
    assert log_state(written, seconds=10).last_check is None


def test_a_log_that_was_changed_is_found_and_the_finding_stays_known(written: Settings) -> None:
    close_logs()
    path = next(HomePaths(written.home).audit.glob("chain-*/segment-*.log"))
    data = bytearray(path.read_bytes())
    data[400] ^= 1
    path.write_bytes(data)
    assert not checked(written).is_whole
    assert log_state(written, seconds=10).findings
