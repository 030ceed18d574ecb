"""Several processes write to one ledger at once; none loses a row and none fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sqlalchemy import text

from shoplake.settings import Settings
from shoplake.store.ledger import Ledger

BATCHES = 15
WRITE = """
import sys
from pathlib import Path
from shoplake.keys.keyring import Keyring
from shoplake.settings import load_settings
from shoplake.store.engine import open_store
from shoplake.store.ledger import Ledger
from tests.store.offers import object_of, offer
settings = load_settings(Path(sys.argv[1]))
ledger = Ledger(open_store(settings, Keyring.open(settings)))
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    own = offer(f"{sys.argv[2]}_{number}.csv")
    shared = offer("shared.csv", content=f"{sys.argv[2]} {number}")
    print(ledger.record_batch([own, shared], objects=[object_of(own), object_of(shared)]))
"""


def test_two_processes_write_one_ledger_at_once(settings: Settings, ledger: Ledger) -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE, str(settings.home), name, str(BATCHES)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for name in ("one", "two")
    ]
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    sequences = [int(line) for process in running for line in process.communicate(timeout=60)[0].split()]
    assert sorted(sequences) == list(range(1, 2 * BATCHES + 1))
    snapshot = ledger.snapshot()
    assert snapshot.sequence == 2 * BATCHES
    names = [file.logical_name for file in snapshot.files]
    assert len(names) == len(set(names)) == 2 * BATCHES + 1
    assert len(snapshot.retired) == 2 * BATCHES - 1
    versions = [file.version for file in ledger.files("pos") if file.logical_name == "shared.csv"]
    assert sorted(versions) == list(range(1, 2 * BATCHES + 1))
    if ledger.store.engine.dialect.name == "sqlite":
        with ledger.store.reading() as con:
            assert con.execute(text("pragma integrity_check")).scalar() == "ok"
