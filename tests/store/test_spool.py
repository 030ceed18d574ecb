"""The spool: whole groups or nothing, each request and event once, under its own key."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from shoplake.errors import KeyAccessError
from shoplake.keys.keyring import Keyring
from shoplake.settings import Settings
from shoplake.store.deposits import Deposit
from shoplake.store.spool import KEY_NAME, LOG_BYTES, Spool, open_spool, rekey_spool, spool_path


@pytest.fixture
def spool(settings: Settings) -> Iterator[Spool]:
    opened = open_spool(settings, Keyring.open(settings))
    yield opened
    opened.close()


def deposit(
    lines: bytes, *, source: str = "web_events", at: float = 1000.0, request: bytes = b"", keys: str = ""
) -> Deposit:
    return Deposit(
        source,
        lines,
        lines.count(b"\n") + 1,
        at,
        request=(request, lines) if request else None,
        event_keys=[(n, key.encode()) for n, key in enumerate(keys)],
    )


def waiting(spool: Spool, source: str = "web_events") -> list[bytes]:
    found = spool.waiting(source, 0, most_bytes=1 << 30, longest_seconds=1e9)
    return found.lines if found else []


def test_what_was_put_waits_in_order_by_source(spool: Spool) -> None:
    spool.put([deposit(b"a\nb"), deposit(b"i", source="interactions"), deposit(b"c")])
    spool.put([deposit(b"d")])
    assert waiting(spool) == [b"a", b"b", b"c", b"d"]
    assert waiting(spool, "interactions") == [b"i"]
    assert spool.backlog() == {"web_events": (4, 1000.0), "interactions": (1, 1000.0)}


def test_large_bodies_come_back_as_they_were(spool: Spool) -> None:
    lines = [b"%d" % n * 100 for n in range(1_000)]
    spool.put([deposit(b"\n".join(lines))])
    assert waiting(spool) == lines


def test_a_log_that_is_laid_out_grows_no_more_and_loses_nothing(spool: Spool, settings: Settings) -> None:
    spool.put([deposit(b"before")])
    spool.lay_out()
    log = spool_path(settings).with_name("spool.db-wal")
    size = log.stat().st_size
    assert size > LOG_BYTES
    for number in range(500):
        spool.put([deposit(b"%d" % number * 1_000)])
    assert log.stat().st_size == size
    assert len(waiting(spool)) == 501
    spool.lay_out()
    assert len(waiting(spool)) == 501


def test_a_batch_ends_at_its_size_and_at_its_time(spool: Spool) -> None:
    for number in range(6):
        spool.put([deposit(b"x" * 100, at=1000.0 + 30 * number)])
    first = spool.waiting("web_events", 0, most_bytes=200)
    assert first is not None
    assert (first.first_id, first.last_id, len(first.lines)) == (1, 2, 2)
    second = spool.waiting("web_events", 2, most_bytes=1 << 30)
    assert second is not None
    assert (second.first_id, second.last_id, second.received_at) == (3, 5, 1060.0)


def test_what_has_landed_is_deleted_and_its_ids_never_come_again(spool: Spool) -> None:
    spool.put([deposit(b"a")])
    spool.put([deposit(b"i", source="interactions")])
    assert spool.forget_landed("web_events", 99) == 1
    assert spool.forget_landed("interactions", 99) == 1
    spool.put([deposit(b"b")])
    found = spool.waiting("web_events", 0, most_bytes=1)
    assert found is not None
    assert found.first_id == 3


def test_a_repeated_request_is_stored_once_within_a_group_and_after_it(spool: Spool) -> None:
    group = [deposit(b"a", request=b"k1"), deposit(b"a", request=b"k1"), deposit(b"z", request=b"k1")]
    assert [stored.status for stored in spool.put(group)] == ["stored", "repeated", "conflict"]
    assert [stored.status for stored in spool.put(group[1:])] == ["repeated", "conflict"]
    assert waiting(spool) == [b"a"]


def test_a_repeated_event_is_stored_once_within_a_body_a_group_and_after_it(spool: Spool) -> None:
    first, second = spool.put([deposit(b"a\nb\na2", keys="kmk"), deposit(b"c\nd", keys="nm")])
    assert (first.duplicates, json.loads(first.answer)["duplicates"]) == (1, 1)
    assert second.duplicates == 1
    (third,) = spool.put([deposit(b"a3\nb3", keys="km")])
    assert third.duplicates == 2
    assert waiting(spool) == [b"a", b"b", b"c"]


def test_what_is_remembered_is_forgotten_after_its_time(spool: Spool) -> None:
    spool.put([deposit(b"a", request=b"k1", keys="e")])
    spool.forget_older(time.time() - 60)
    assert spool.put([deposit(b"a", request=b"k1", keys="e")])[0].status == "repeated"
    spool.forget_older(time.time() + 60)
    (again,) = spool.put([deposit(b"a", request=b"k1", keys="e")])
    assert (again.status, again.duplicates) == ("stored", 0)


def test_a_group_that_fails_stores_nothing_and_remembers_nothing(spool: Spool) -> None:
    bad = Deposit("web_events", None, 1, 1000.0)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        spool.put([deposit(b"a", request=b"k1", keys="e"), bad])
    assert waiting(spool) == []
    assert spool.put([deposit(b"a", request=b"k1", keys="e")])[0].status == "stored"


def test_a_new_key_keeps_the_rows_and_the_old_one_opens_nothing(settings: Settings) -> None:
    ring = Keyring.open(settings)
    spool = open_spool(settings, ring)
    spool.put([deposit(b"a")])
    name = spool.spool_id
    spool.close()
    ring.new_versions([KEY_NAME])
    rekey_spool(settings, ring)
    ring.retire(KEY_NAME, 1)
    spool = open_spool(settings, ring)
    assert (waiting(spool), spool.spool_id) == ([b"a"], name)
    spool.close()
    ring.new_versions([KEY_NAME])
    ring.retire(KEY_NAME, 2)
    with pytest.raises(KeyAccessError):
        open_spool(settings, ring)


def test_nothing_is_readable_in_the_file(settings: Settings) -> None:
    spool = open_spool(settings, Keyring.open(settings))
    spool.put([deposit(b"MARKER one", request=b"MARKER two"), deposit(b"MARKER three", source="interactions")])
    files = list(spool_path(settings).parent.glob("spool.db*"))
    assert len(files) == 3
    assert [file.name for file in files if b"MARKER" in file.read_bytes()] == []
    spool.close()
