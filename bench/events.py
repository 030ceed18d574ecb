"""Events a second from JSON Lines into the encrypted lake, with personal fields protected and without.

Run as ``python -m bench --events`` (or ``python -m bench.events``). The same files are landed by `shoplake land` in two
homes in turn: one with the packaged contracts, one with contracts of its own that call no field personal. Each round
brings other events of the same customers: the first meets most of them for the first time, the later ones know them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.measure import Measured
from bench.ours import ROOT, Shoplake

WEB_EVENTS = 1_000_000
INTERACTIONS_SHARE = 0.1
ROUNDS = 3
CUSTOMERS = 50_000
FILES = 4
EVENTS_A_SECOND = 100_000
PROTECTION_RATIO = 1.25
SOURCES = ("web_events", "interactions")
CONTRACTS = ROOT / "shoplake" / "contracts"
FIRST_MOMENT = 1_767_225_600


class LostRowsError(Exception):
    """A home did not land every event."""


@dataclass(frozen=True)
class Landed:
    """One source, landed once in each home."""

    round: int
    source: str
    rows: int
    protected: Measured
    clear: Measured

    @property
    def rate(self) -> float:
        """Rows a second with protection, starting Python included."""
        return self.rows / self.protected.seconds


@dataclass(frozen=True)
class EventCost:
    """All rounds of one run."""

    landed: tuple[Landed, ...]

    def of(self, source: str | None = None) -> tuple[Landed, ...]:
        """Give the rounds of one source, or of both."""
        return tuple(one for one in self.landed if source in {None, one.source})

    def ratio(self, source: str | None = None) -> float:
        """Give how much longer landing takes with protection than without, all rounds together."""
        return sum(o.protected.seconds for o in self.of(source)) / sum(o.clear.seconds for o in self.of(source))

    def cpu_ratio(self, source: str | None = None) -> float:
        """Give the same in processor time."""
        return sum(o.protected.cpu_seconds for o in self.of(source)) / sum(o.clear.cpu_seconds for o in self.of(source))

    @property
    def rate(self) -> float:
        """Web events a second, protected, all rounds together."""
        web = self.of("web_events")
        return sum(one.rows for one in web) / sum(one.protected.seconds for one in web)


def measure_events(
    work: Path, *, web_events: int = WEB_EVENTS, rounds: int = ROUNDS, customers: int = CUSTOMERS
) -> EventCost:
    """Land the rounds in both homes; which home goes first alternates.

    Raises:
        LostRowsError: a home did not land every event.

    """
    protected, clear = Shoplake(work / "protected"), Shoplake(work / "clear")
    for home in (protected, clear):
        home("init")
    _write_clear_contracts(clear.home / "contracts")
    landed = []
    for number in range(rounds):
        files = write_events(work / "events", number, web_events, customers)
        for source in SOURCES:
            took: dict[Path, Measured] = {}
            rows = int(web_events * (INTERACTIONS_SHARE if source == "interactions" else 1))
            for home in (protected, clear) if number % 2 else (clear, protected):
                took[home.home] = home("land", source, files[source], "--format", "json")
                _check(took[home.home], rows)
            landed.append(Landed(number + 1, source, rows, took[protected.home], took[clear.home]))
    return EventCost(tuple(landed))


def write_events(folder: Path, number: int, web_events: int, customers: int) -> dict[str, Path]:
    """Write the files of a round and give their folders by source; 40 % of the visits are signed in."""
    import duckdb

    con = duckdb.connect()
    con.execute(f"create macro mix(n, salt) as ((n + salt * 7919 + {number} * 1000003) * 2654435761 % 4294967291) >> 8")
    selects = {
        "web_events": (
            web_events,
            f"""printf('%016x', mix(range // 5, 1) * 65536 + range // 5) as session_id,
            if(mix(range // 5, 2) % 5 < 2, mix(range // 5, 3) % {customers} + 100000, null) as user_id,
            '/product/' || mix(range, 4) % 3000 as page, ['Desktop', 'Mobile', 'Tablet'][mix(range // 5, 5) % 3 + 1]
            as device_type, 'Firefox' as browser, ['Click', 'View', 'Scroll'][mix(range, 6) % 3 + 1] as event_type,
            {FIRST_MOMENT} + {number} * 86400 + range * 86400.0 / {web_events} as "timestamp" """,
        ),
        "interactions": (
            int(web_events * INTERACTIONS_SHARE),
            f"""mix(range, 8) % {customers} + 100000 as customer_id,
            ['Feedback', 'Loyalty', 'Complaint'][mix(range, 9) % 3 + 1] as interaction_type,
            ['Email', 'App', 'Phone'][mix(range, 10) % 3 + 1] as channel, mix(range, 12) % 5 + 1 as rating,
            if(mix(range, 11) % 4 = 0, null, 'The parcel ' || range || ' came two days late and wet.') as
            message_excerpt, {FIRST_MOMENT} + {number} * 86400 + range * 0.5 as "timestamp" """,
        ),
    }
    folders = {}
    for source, (rows, columns) in selects.items():
        folders[source] = folder / f"{source}-{number}"
        folders[source].mkdir(parents=True)
        for file in range(FILES):
            part = f"select {columns} from range({rows * file // FILES}, {rows * (file + 1) // FILES})"
            con.execute(f"copy ({part}) to '{folders[source]}/{source}-{number}-{file}.jsonl' (format json)")
    con.close()
    return folders


def _write_clear_contracts(folder: Path) -> None:
    for source in SOURCES:
        lines = (CONTRACTS / f"{source}.odcs.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
        kept = "".join(line for line in lines if "classification:" not in line)
        (folder / f"{source}.odcs.yaml").write_text(kept, encoding="utf-8")


def _check(measured: Measured, rows: int) -> None:
    landed = sum(file["rows_landed"] for file in json.loads(measured.output))
    if landed != rows:
        raise LostRowsError(f"{landed:,} of {rows:,} events landed")


def report(cost: EventCost) -> str:
    """Say what was found, held against the targets."""
    lines = [
        f"round {one.round}, {one.source}: {one.rows:,} rows, protected {one.protected.seconds:.2f} s "
        f"({one.rate:,.0f} a second), clear {one.clear.seconds:.2f} s, "
        f"ratio {one.protected.seconds / one.clear.seconds:.2f}; processor time a row "
        f"{one.protected.cpu_seconds / one.rows * 1e6:.1f} and {one.clear.cpu_seconds / one.rows * 1e6:.1f} us"
        for one in cost.landed
    ]
    lines += [
        f"ratio of {source or 'both sources'}, all rounds: {cost.ratio(source):.2f} by the clock, "
        f"{cost.cpu_ratio(source):.2f} in processor time"
        for source in (*SOURCES, None)
    ]
    met = "met" if cost.rate >= EVENTS_A_SECOND else "not met"
    lines.append(f"web events into the lake: {cost.rate:,.0f} a second ({EVENTS_A_SECOND:,} is the target: {met})")
    met = "met" if cost.ratio() <= PROTECTION_RATIO else "not met"
    lines.append(
        f"protection: {cost.ratio():.2f} of landing without it (at most {PROTECTION_RATIO} is the target: {met})"
    )
    return "\n".join(lines) + "\n"


def run(web_events: int, rounds: int) -> int:
    """Measure and print; give 1 if a target is missed."""
    with tempfile.TemporaryDirectory(prefix="shoplake-bench-") as work:
        cost = measure_events(Path(work), web_events=web_events, rounds=rounds)
    sys.stdout.write(report(cost))
    return 0 if cost.rate >= EVENTS_A_SECOND and cost.ratio() <= PROTECTION_RATIO else 1


def main() -> int:
    """Run with what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--web-events", type=int, default=WEB_EVENTS, help="web events a round")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    return run(given.web_events, given.rounds)


if __name__ == "__main__":
    sys.exit(main())
