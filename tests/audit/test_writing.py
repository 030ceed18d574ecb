"""Writing the log: many at once, killed at any moment, over borders of segments and changes of keys."""

from __future__ import annotations

import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shoplake.audit.entry import Actor, acting_as, new_entry
from shoplake.audit.log import AuditLog
from shoplake.audit.reading import Wanted, check_copy, check_home, find
from shoplake.audit.recording import changing, close_logs, committing, log_of, showing, write
from shoplake.audit.segments import chain_folders, numbers, segment_path
from shoplake.errors import AuditLogError, NotFoundError
from shoplake.pipeline.rotation import rotate
from shoplake.settings import Settings
from tests.audit.looking import check, image_of, segment

WRITER = """
import sys
from pathlib import Path
from shoplake.audit.entry import new_entry
from shoplake.audit.recording import write
from shoplake.settings import load_settings
settings = load_settings(Path(sys.argv[1]))
for number in range(int(sys.argv[2])):
    write(settings, new_entry("sql", sql="x" * (number * 37 % 900), number=number))
    print(number, flush=True)
"""


def writer(settings: Settings, records: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(settings.home), str(records)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def numbers_of(settings: Settings) -> list[int]:
    return sorted(entry.detail["number"] for entry in find(settings, Wanted(action="sql")))


def test_processes_that_write_at_once_have_chains_of_their_own(settings: Settings) -> None:
    processes = [writer(settings, 30) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
    for process in processes:
        process.communicate()
    report = check_home(settings)
    assert report.findings == []
    assert numbers_of(settings) == sorted(list(range(30)) * 4)


def kill_and_check(settings: Settings, kills: int) -> None:
    draw, told = random.Random(kills), list[int]()
    for _ in range(kills):
        process = writer(settings, 100_000)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(draw.uniform(0, 0.05))
        os.kill(process.pid, signal.SIGKILL)
        told.append(1 + len(process.communicate()[0].splitlines()))
        assert check(settings).findings == []
    found = numbers_of(settings)
    assert all(found.count(number) >= sum(count > number for count in told) for number in range(max(told)))
    write(settings, new_entry("kpi"))
    assert check_home(settings).findings == []


def test_a_writer_that_is_killed_leaves_a_whole_log_with_all_that_it_acknowledged(settings: Settings) -> None:
    kill_and_check(settings, 6)


@pytest.mark.proof
def test_two_hundred_killed_writers(settings: Settings, record_proof: Callable[[str, str], None]) -> None:
    kill_and_check(settings, 200)
    record_proof(
        "audit-kills", "200 SIGKILLs of a writer of the audit log: whole each time, nothing acknowledged lost."
    )


def test_a_write_that_was_cut_off_is_told_from_a_truncation(settings: Settings) -> None:
    log = AuditLog(settings)
    close_logs()
    chain = chain_folders(settings.home / "audit")[1]
    log.write(new_entry("sql", sql="select 1"))
    before = (chain / "marks").read_bytes()
    log.write(new_entry("sql", sql="select 2"))
    after = (chain / "marks").read_bytes()
    log.abandon()
    path = segment_path(chain, 1)
    whole = path.read_bytes()
    # As a crash in the middle of the write leaves it: begun by the one mark, not on disk by the other.
    (chain / "marks").write_bytes(after[: len(after) // 2] + before[len(before) // 2 :])
    path.write_bytes(whole[:-10])
    report = check(settings)
    assert report.findings == []
    assert any("cut off" in note for note in report.notes)
    # As a truncation leaves it: it was on disk and is gone.
    (chain / "marks").write_bytes(after)
    assert not check(settings).is_whole
    # The next writer puts the one right, and says so.
    (chain / "marks").write_bytes(after[: len(after) // 2] + before[len(before) // 2 :])
    again = AuditLog(settings), AuditLog(settings)
    for each in again:
        each.write(new_entry("sql", sql="select 3"))
        each.abandon()
    report = check(settings)
    assert report.findings == []
    assert any("log recovered" in note for note in report.notes)


def test_a_truncation_stays_found_when_the_log_goes_on(settings: Settings) -> None:
    for number in range(3):
        write(settings, new_entry("sql", sql=str(number)))
    close_logs()
    path = segment_path(chain_folders(settings.home / "audit")[0], 1)
    path.write_bytes(path.read_bytes()[:-300])
    write(settings, new_entry("sql", sql="later"))
    log_of(settings).sign(is_forced=True)
    whats = [finding.what for finding in check_home(settings).findings]
    assert any("missing" in what for what in whats)
    assert [entry.detail["sql"] for entry in find(settings, Wanted(action="sql"))][-1] == "later"


def test_lost_marks_are_found_and_the_log_goes_on(settings: Settings) -> None:
    write(settings, new_entry("sql", sql="before"))
    close_logs()
    (chain_folders(settings.home / "audit")[0] / "marks").unlink()
    assert not check(settings).is_whole
    write(settings, new_entry("sql", sql="after"))
    report = check_home(settings)
    assert report.findings == []
    assert any("log marks lost" in note for note in report.notes)
    assert len(find(settings, Wanted(action="sql"))) == 2


def test_old_segments_open_and_verify_after_the_keys_have_changed(settings: Settings, tmp_path: Path) -> None:
    placed = settings.model_copy(update={"audit_heads": str(tmp_path / "apart")})
    close_logs()
    write(placed, new_entry("sql", sql="under the old key"))
    log_of(placed).sign(is_forced=True)
    first = check(placed).key
    rotate(placed)
    write(placed, new_entry("sql", sql="under the new key"))
    log_of(placed).sign(is_forced=True)
    report = check_home(placed)
    assert report.findings == []
    assert report.key != first
    assert len(find(placed, Wanted(action="sql"))) == 2
    for key in (first, report.key):  # whoever trusts the one that was, trusts those that it names
        assert check_copy(placed.home / "audit", placed.audit_heads, key).findings == []
    assert not check_copy(placed.home / "audit", placed.audit_heads, "ab" * 32).is_whole


def test_too_old_segments_go_and_the_rest_verifies(settings: Settings) -> None:
    small = settings.model_copy(update={"audit_segment_bytes": 4096})
    close_logs()
    for number in range(12):
        write(small, new_entry("sql", sql="x" * 1000, number=number))
    log_of(small).sign(is_forced=True)
    close_logs()
    chain = chain_folders(small.home / "audit")[0]
    assert len(numbers(chain)) > 3
    aged = small.model_copy(update={"audit_retention_days": 1})
    log = log_of(aged)
    later = time.time() + 3 * 86_400
    write(aged, new_entry("kpi"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shoplake.audit.log.time.time", lambda: later)
        log.sign(is_forced=True)
    assert numbers(chain)[0] > 1
    assert check(aged).findings == []
    without_first = image_of(aged)
    first = numbers(chain)[0]
    assert segment(without_first, 0, first)
    segment_path(chain, first).unlink()
    assert not check(aged).is_whole


def test_what_cannot_be_recorded_is_not_shown_or_changed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    done = list[str]()

    def full(_handle: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    write(settings, new_entry("kpi"))
    monkeypatch.setattr("shoplake.audit.chain.os.write", full)
    with pytest.raises(AuditLogError, match="No space left"), showing(settings, "sql"):
        done.append("computed, not shown")
    with pytest.raises(AuditLogError), changing(settings, "keys rotate"):
        done.append("changed")
    with pytest.raises(AuditLogError), committing(settings, "land batch"):
        done.append("changed")
    assert done == ["computed, not shown"]
    monkeypatch.undo()
    write(settings, new_entry("kpi"))
    assert check_home(settings).findings == []


def test_a_failure_is_a_record_too(settings: Settings) -> None:
    with pytest.raises(NotFoundError), showing(settings, "sql", sql="select 1"):
        raise NotFoundError("There is no such thing.")
    with pytest.raises(ValueError, match="broken"), changing(settings, "run"):
        raise ValueError("broken")
    one, *two = find(settings, Wanted())[-3:]
    assert (one.outcome, one.error) == ("failed", "not_found: There is no such thing.")
    assert [(entry.outcome, entry.act) for entry in two] == [("begun", two[0].act), ("failed", two[0].act)]


def test_who_acts_and_whom_it_showed(settings: Settings) -> None:
    person = "c_0123456789abcdef"
    with acting_as(Actor("ada", "analyst")), showing(settings, "sql", sql="select customer") as entry:
        entry.show([(person, 1), ("nobody", 2)])
    with showing(settings, "sql", sql=f"select 1 where customer = '{person}'") as entry:
        entry.show([])
    with showing(settings, "lake show") as entry:
        entry.show([(f"c_{number:016x}",) for number in range(2_000)])
    with showing(settings, "sql", sql="select 2") as entry:
        entry.show([(2,)])
    found = find(settings, Wanted(person=person))
    assert [(entry.action, entry.rows) for entry in found] == [("sql", 2), ("sql", 0), ("lake show", 2000)]
    assert (found[0].actor, found[0].role) == ("ada", "analyst")
    assert found[2].persons_count == 2_000
    assert [entry.action for entry in find(settings, Wanted(user="ada"))] == ["sql"]


def test_heads_are_signed_once_a_minute_and_kept_apart(settings: Settings, tmp_path: Path) -> None:
    placed = settings.model_copy(update={"audit_heads": f"file://{tmp_path / 'apart'}"})
    close_logs()
    log = log_of(placed)
    for _ in range(3):
        write(placed, new_entry("kpi"))
        log.sign()
    report = check(placed)
    assert report.heads == 1, "the one at the end of `init` is less than a minute old"
    log.sign(is_forced=True)
    assert check(placed).heads == 2
    assert check(placed).findings == []
    assert len(list((tmp_path / "apart").rglob("*.json"))) == 1
    assert len(list((tmp_path / "apart").rglob("*.pem"))) == 1


def test_a_second_place_that_fails_is_said_and_stops_nothing(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a file").write_text("", encoding="utf-8")
    placed = settings.model_copy(update={"audit_heads": str(tmp_path / "a file" / "apart")})
    close_logs()
    write(placed, new_entry("kpi"))
    with caplog.at_level(logging.WARNING):
        log_of(placed).sign(is_forced=True)
    assert "not kept apart" in caplog.text


def test_a_forked_process_takes_a_chain_of_its_own(settings: Settings) -> None:
    write(settings, new_entry("kpi", number=0))
    child = os.fork()
    if child == 0:
        write(settings, new_entry("kpi", number=1))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    write(settings, new_entry("kpi", number=2))
    assert check_home(settings).findings == []
    assert sorted(entry.detail["number"] for entry in find(settings, Wanted(action="kpi"))) == [0, 1, 2]
    assert len(chain_folders(settings.home / "audit")) == 2


def test_records_are_not_in_clear(settings: Settings) -> None:
    write(settings, new_entry("sql", sql="select 'MARKER4711'"))
    assert not [p for p in settings.home.rglob("*") if p.is_file() and b"MARKER4711" in p.read_bytes()]
