"""Which days a run rebuilds, and which it reads."""

from __future__ import annotations

import datetime as dt

import msgspec

from shoplake.pipeline.manifest import ALL, AuditCounts, Manifest, Partition, Table, days_of_label
from shoplake.pipeline.models import Model, ModelGraph, Spread
from shoplake.pipeline.plan import Changes, Plan, make_plan


def day(number: int, month: int = 3) -> dt.date:
    return dt.date(2026, month, number)


def days(*numbers: int, month: int = 3) -> frozenset[dt.date]:
    return frozenset(day(n, month) for n in numbers)


def model(name: str, *, parents: tuple[str, ...] = (), sources: tuple[str, ...] = (), **more: object) -> Model:
    values = {"database": "warehouse", "is_table": True, "partition_by": "day", "columns": {"day": "DATE"}}
    return Model(name=name, parents=parents, sources=sources, **{**values, **more})  # type: ignore[arg-type]


GRAPH = ModelGraph(
    {
        m.name: m
        for m in (
            model("stg_pos", sources=("pos",), is_table=False, partition_by=None),
            model("stg_stock", sources=("inventory",), is_table=False, partition_by=None),
            model("stg_products", sources=("products",), is_table=False, partition_by=None),
            model("stg_web", sources=("web_events",), is_table=False, partition_by=None),
            model("dim_product", parents=("stg_products", "fct_sales"), partition_by=None, accumulates=True),
            model("fct_sales", parents=("stg_pos",)),
            model("mart_sales", parents=("fct_sales", "dim_product")),
            model("now", parents=("mart_sales",), partition_by=None, reads_before=28),
            model(
                "fct_stock",
                parents=("stg_stock",),
                spread=Spread(before=2, to_latest=True, since_watermark="inventory"),
                previous={"fct_stock": 1},
            ),
            model("fct_events", parents=("stg_web",), spread=Spread(after=1), reads_before=1),
            model("fct_sessions", parents=("fct_events",), spread=Spread(while_running=True), span_end="end"),
        )
    }
)


def release(tables: dict[str, dict[str, str | None]], *, settled: dt.date | None = None) -> Manifest:
    """Make a release whose tables have partitions by label, each with the end of what runs in it."""
    return Manifest(
        release_id="r",
        created_at=dt.datetime(2026, 3, 11, tzinfo=dt.UTC),
        ledger_sequence=1,
        timezone="UTC",
        model_version="v",
        watermarks={s: dt.datetime(2026, 3, 10, 20) for s in ("pos", "inventory", "web_events")},
        settled_through=settled,
        tables={
            name: Table(
                "warehouse",
                {"day": "DATE"},
                None if ALL in labels else "day",
                tuple(Partition(label, f"c{label}", 1, (f"{name}/{label}",), 1, end) for label, end in labels.items()),
            )
            for name, labels in tables.items()
        },
        tests=AuditCounts(0, 0),
    )


def changes(
    *,
    refs: tuple[str, ...] = (),
    removed: bool = False,
    latest: dt.date | None = None,
    **by_source: frozenset[dt.date],
) -> Changes:
    mark = latest or day(11)
    sources = ("pos", "inventory", "web_events")
    return Changes(
        days=by_source,
        references=refs,
        has_removals=removed,
        all_days={s: days(*range(1, 12)) for s in sources},
        watermarks={s: dt.datetime.combine(mark, dt.time(12)) for s in sources},
        watermark_days=dict.fromkeys(sources, mark),
    )


def labels(*numbers: int) -> dict[str, str | None]:
    return {day(n).isoformat(): None for n in numbers}


FULL = {
    "fct_sales": labels(*range(1, 11)),
    "mart_sales": labels(*range(1, 11)),
    "dim_product": {ALL: None},
    "now": {ALL: None},
    "fct_stock": labels(*range(1, 11)),
    "fct_events": labels(*range(1, 11)),
    "fct_sessions": labels(*range(1, 11)),
}


def planned(change: Changes, last: Manifest | None = None, **more: bool) -> Plan:
    return make_plan(GRAPH, change, last or release(FULL), settle_after_days=35, **more)


def shown(plan: Plan, table: str) -> set[str]:
    return {partition.label for partition in plan.context[table]}


def test_a_new_day_of_sales_rebuilds_that_day_alone() -> None:
    plan = planned(changes(pos=days(11)))
    assert plan.touched["fct_sales"] == days(11)
    assert plan.touched["mart_sales"] == days(11)
    assert "fct_stock" not in plan.touched
    assert plan.lake_days["pos"] == days(11)
    assert plan.lake_days["inventory"] == frozenset()


def test_a_table_without_days_is_rebuilt_whenever_an_input_is_and_reads_back_as_far_as_it_says() -> None:
    plan = planned(changes(pos=days(11)))
    assert plan.touched["now"] == frozenset()
    assert shown(plan, "mart_sales") == {day(n).isoformat() for n in range(1, 11)}
    assert shown(plan, "fct_sales") == set()


def test_a_late_file_rebuilds_stock_from_two_days_before_to_the_latest_day() -> None:
    plan = planned(changes(inventory=days(5)))
    assert plan.touched["fct_stock"] == days(*range(3, 12))
    assert [p.label for p in plan.previous["fct_stock"]] == [day(2).isoformat()]


def test_stock_that_ran_at_the_last_watermark_is_rebuilt_after_a_silence() -> None:
    plan = planned(changes(inventory=days(20), latest=day(20)))
    assert min(plan.touched["fct_stock"]) == day(8)


def test_a_new_reference_file_rebuilds_the_marts_that_carry_its_attributes_but_no_fact() -> None:
    plan = planned(changes(refs=("products",)))
    assert plan.touched["mart_sales"] == days(*range(1, 12))
    assert "fct_sales" not in plan.touched
    assert shown(plan, "fct_sales") == {day(n).isoformat() for n in range(1, 11)}


def test_events_touch_the_next_day_too_and_read_the_day_before() -> None:
    plan = planned(changes(web_events=days(5)))
    assert plan.touched["fct_events"] == days(5, 6)
    assert plan.lake_days["web_events"] == days(4, 5, 6)


def test_a_session_that_ran_into_a_touched_day_is_rebuilt_with_all_its_days() -> None:
    long = FULL | {"fct_sessions": FULL["fct_sessions"] | {day(2).isoformat(): "2026-03-05T00:10:00"}}
    plan = planned(changes(web_events=days(5)), release(long))
    assert plan.touched["fct_sessions"] == days(2, 5, 6)
    assert shown(plan, "fct_events") >= {day(n).isoformat() for n in (2, 3, 4)}


def test_a_removal_makes_accumulating_tables_anew_from_everything() -> None:
    plan = planned(changes(pos=days(5), removed=True))
    assert shown(plan, "fct_sales") == {day(n).isoformat() for n in range(1, 11) if n != 5}  # noqa: PLR2004
    added = planned(changes(pos=days(5)))
    assert shown(added, "fct_sales") == set()


def test_a_day_in_a_settled_month_rebuilds_the_month() -> None:
    last = release(FULL | {"fct_sales": {"2026-01": None}}, settled=dt.date(2026, 1, 31))
    plan = planned(changes(pos=days(7, month=1)), last)
    assert plan.touched["fct_sales"] == frozenset(days_of_label("2026-01"))
    assert shown(plan, "fct_sales") == set()


def test_months_settle_only_when_they_are_old_enough() -> None:
    assert planned(changes(pos=days(11), latest=dt.date(2026, 3, 31))).settled_through == dt.date(2026, 1, 31)
    assert planned(changes(pos=days(11), latest=dt.date(2026, 4, 3))).settled_through == dt.date(2026, 1, 31)
    assert planned(changes(pos=days(11), latest=dt.date(2026, 4, 4))).settled_through == dt.date(2026, 2, 28)


def test_without_a_release_everything_is_built() -> None:
    everything = {s: days(*range(1, 12)) for s in ("pos", "inventory", "web_events")}
    plan = make_plan(GRAPH, changes(refs=("products",), **everything), None, settle_after_days=35)
    assert set(plan.touched) >= {"fct_sales", "mart_sales", "dim_product", "now", "fct_stock", "fct_sessions"}
    assert plan.context == {}


def test_a_full_audit_shows_every_partition() -> None:
    plan = planned(changes(pos=days(11)), full=True)
    assert shown(plan, "fct_stock") == {day(n).isoformat() for n in range(1, 11)}


def test_sources_that_a_fed_model_reads_beside_them_are_taken_along() -> None:
    assert GRAPH.read_together({"web_events"}) == {"web_events"}
    assert GRAPH.read_together({"products"}) == {"products"}
    joined = {
        **GRAPH.models,
        "fct_visits": model("fct_visits", parents=("fct_events", "stg_stock")),
        "fct_shelves": model("fct_shelves", parents=("stg_stock", "dim_product")),
    }
    # Visits read stock counts from the lake; of sales they would read a table, which stays as it is.
    assert ModelGraph(joined).read_together({"web_events"}) == {"web_events", "inventory"}


def test_the_views_of_a_table_are_those_that_it_is_made_of() -> None:
    assert GRAPH.views_of(["fct_sessions"]) == []
    assert set(GRAPH.views_of(["dim_product", "fct_sales"])) == {"stg_products", "stg_pos"}


WORDS = ModelGraph(
    {m.name: m for m in (*GRAPH.models.values(), model("words", parents=("fct_sales",), lasts="message_text_days"))}
)
SINCE = dt.date(2026, 3, 4)


def with_words(change: Changes, first: dt.date, *, since: dt.date = SINCE, **more: object) -> tuple[Plan, Manifest]:
    last = release(FULL | {"words": labels(*range(since.day, 11))})
    last.tables["words"] = msgspec.structs.replace(last.tables["words"], since=since)
    return make_plan(WORDS, change, last, settle_after_days=35, first_days={"words": first}, **more), last  # type: ignore[arg-type]


def test_days_whose_time_is_over_are_not_made_and_their_partitions_go() -> None:
    plan, last = with_words(changes(pos=days(5, 11)), day(6))
    assert plan.touched["fct_sales"] == days(5, 11)
    assert plan.touched["words"] == days(11)
    assert shown(plan, "words") == set()
    assert [p.label for p in last.tables["words"].partitions if plan.expires(p.label, "words")] == [
        day(4).isoformat(),
        day(5).isoformat(),
    ]
    assert plan.expires_any(last.tables)
    assert not plan.expires("2026-01", "fct_sales")


def test_rows_that_last_for_longer_than_they_did_are_made_of_what_is_there() -> None:
    plan, last = with_words(changes(), day(2))
    assert plan.touched == {"words": days(2, 3)}
    assert not plan.expires_any(last.tables)
    assert shown(plan, "fct_sales") == {day(2).isoformat(), day(3).isoformat()}
    assert plan.lake_days["pos"] == frozenset()


def test_days_that_are_asked_for_are_made_again_with_nothing_new() -> None:
    plan, _ = with_words(changes(), SINCE, again={"words": days(7)})
    assert plan.touched == {"words": days(7)}


def test_months_of_rows_that_do_not_last_never_settle() -> None:
    plan, _ = with_words(changes(pos=days(11), latest=dt.date(2026, 5, 10)), SINCE)
    assert plan.settled_through == dt.date(2026, 3, 31)
    assert days(11) <= plan.touched["words"]
    assert min(plan.touched["words"]) >= SINCE
    assert not plan.settles("words")
    assert plan.settles("fct_sales")
