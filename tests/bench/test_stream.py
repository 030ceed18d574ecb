"""How the benchmark of streams counts, and how its section of the page is kept."""

from __future__ import annotations

from bench.section import section, with_section
from bench.stream.freshness import Freshness, at
from bench.stream.sending import Probe, Sent

PAGE = "# Benchmarks\n\nText.\n\n## One more day\n\n1.02.\n\n## Where and when\n\ntoday\n"
OURS = "## Streams\n\n12 s.\n"


def test_a_section_is_put_in_its_place_and_replaced_there() -> None:
    page = with_section(PAGE, OURS)
    assert page == PAGE.replace("## Where", "## Streams\n\n12 s.\n\n## Where")
    assert section(page, "Streams") == "## Streams\n\n12 s.\n\n"
    assert with_section(page, "## Streams\n\n13 s.\n") == page.replace("12 s", "13 s")
    assert with_section(PAGE, section(page, "Streams")) == page
    assert with_section(PAGE, "") == PAGE


def test_a_probe_that_never_came_counts_as_endless() -> None:
    probes = [Probe("web_events", n, n, n + 10.0 + n) for n in range(99)] + [Probe("web_events", 99, 99)]
    waits = Freshness(Sent(probes=probes), {}, [], []).seconds()
    assert at(waits, 0.5) == 60
    assert at(waits, 0.99) == float("inf")
