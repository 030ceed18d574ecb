from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from bench.measure import ContenderError, measure

HOLD = "held = bytearray({mb} * 2**20); held[::4096] = b'x' * len(held[::4096]); import time; time.sleep(0.6)"


def test_memory_of_a_child_counts_beside_its_parent(tmp_path: Path) -> None:
    child = HOLD.format(mb=80)
    parent = f"import subprocess, sys; {HOLD.format(mb=60).partition('import time')[0]}" + (
        f"subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    )
    measured = measure([sys.executable, "-c", parent], cwd=tmp_path)
    assert measured.peak_mb > 140
    assert measured.seconds >= 0.6


def test_a_failed_command_tells_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(ContenderError, match="code 3:\nno such luck"):
        measure([sys.executable, "-c", "import sys; print('no such luck', file=sys.stderr); sys.exit(3)"], cwd=tmp_path)


def test_a_command_that_never_ends_is_stopped_with_its_children(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys, time, pathlib;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(120)']);"
        "pathlib.Path('written').write_text(str(child.pid)); pathlib.Path('written').rename('child'); time.sleep(120)"
    )
    for limit in (1.5, 10, 60):  # a busy machine may not have started the child by the first
        with pytest.raises(ContenderError, match="time limit"):
            measure([sys.executable, "-c", script], cwd=tmp_path, time_limit_seconds=limit)
        if (tmp_path / "child").exists():
            break
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 60
    while _is_running(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_running(child)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
