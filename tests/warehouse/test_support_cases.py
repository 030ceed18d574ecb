"""Support cases, inferred from complaints and what follows them."""

from __future__ import annotations

import datetime as dt
import random

from hypothesis import given
from hypothesis import strategies as st

from tests.warehouse.lab import Compiled, Lab, Row
from tests.warehouse.test_order_and_split import QUICK, interaction

START = dt.datetime(2026, 3, 2, 9)
TIMEOUT = dt.timedelta(days=30)


def contact(days: float, kind: str = "Complaint", rating: int | None = None, **more: object) -> Row:
    return {
        "customer_id": "c1",
        "interaction_type": kind,
        "channel": "Email",
        "rating": rating,
        "message_excerpt": None,
        "timestamp": START + dt.timedelta(days=days),
        **more,
    }


def days(moment: dt.datetime | None) -> float | None:
    return None if moment is None else (moment - START) / dt.timedelta(days=1)


def cases(lab: Lab) -> list[tuple[float | None, float | None, str, int]]:
    """Give (opened, closed, state, complaints) of each case, in days."""
    rows = sorted(lab.table("fct_support_cases"), key=lambda row: (row["opened_at"], row["customer_key"]))
    return [(days(r["opened_at"]), days(r["closed_at"]), r["case_state"], r["complaints"]) for r in rows]


def test_later_complaints_join_the_open_case(lab: Lab) -> None:
    lab.land("interactions", [contact(0), contact(2), contact(5, "Feedback", 4), contact(6)])
    lab.run()
    assert cases(lab) == [(0, 5, "resolved", 2), (6, None, "open", 1)]


def test_an_unhappy_contact_does_not_resolve(lab: Lab) -> None:
    lab.land("interactions", [contact(0), contact(1, "Feedback", 2), contact(4, "Loyalty")])
    lab.run()
    case = lab.table("fct_support_cases")[0]
    assert (days(case["next_contact_at"]), days(case["resolved_at"])) == (1, 4)
    assert case["resolution_seconds"] == 4 * 86400


def test_thirty_days_without_resolution_close_a_case(lab: Lab) -> None:
    lab.land("interactions", [contact(0), contact(31, "Feedback", 5)])
    lab.run()
    assert cases(lab) == [(0, 30, "unresolved", 1)]
    assert lab.table("fct_support_cases")[0]["next_contact_at"] is None


def test_a_resolution_on_the_last_instant_counts(lab: Lab) -> None:
    lab.land("interactions", [contact(0), contact(30, "Feedback", 5)])
    lab.run()
    assert cases(lab) == [(0, 30, "resolved", 1)]


def test_a_complaint_at_the_timeout_opens_the_next_case(lab: Lab) -> None:
    lab.land("interactions", [contact(0), contact(29.9), contact(30), contact(59)])
    lab.run()
    assert cases(lab) == [(0, 30, "unresolved", 2), (30, None, "open", 2)]


def test_at_one_instant_resolving_comes_before_complaining(lab: Lab) -> None:
    lab.land("interactions", [contact(0), contact(0, "Feedback", 5), contact(3, "Loyalty"), contact(3)])
    lab.run()
    assert cases(lab) == [(0, 3, "resolved", 1), (3, None, "open", 1)]


def test_an_open_case_times_out_as_the_watermark_moves_on(lab: Lab) -> None:
    lab.land("interactions", [contact(0)])
    lab.run()
    assert cases(lab) == [(0, None, "open", 1)]
    lab.land("interactions", [contact(100, customer_id="c2")])
    lab.run()
    assert cases(lab) == [(0, 30, "unresolved", 1), (100, None, "open", 1)]


def test_a_late_complaint_moves_every_later_case_of_the_customer(lab: Lab) -> None:
    lab.land("interactions", [contact(20), contact(45), contact(55), contact(90)])
    lab.run()
    assert [case[0] for case in cases(lab)] == [20, 55, 90]
    lab.land("interactions", [contact(10)])
    lab.run()
    assert [case[0] for case in cases(lab)] == [10, 45, 90]


def test_customers_have_cases_of_their_own(lab: Lab) -> None:
    lab.land("interactions", [contact(0), contact(1, customer_id="c2"), contact(2, "Loyalty", customer_id="c2")])
    lab.run()
    assert cases(lab) == [(0, None, "open", 1), (1, 2, "resolved", 1)]


def expected_cases(rows: list[Row]) -> list[tuple[str, dt.datetime, dt.datetime | None, int]]:
    """Walk each customer's interactions in time: (customer, opened, resolved, complaints)."""
    distinct = [row for n, row in enumerate(rows) if row not in rows[:n]]
    found: list[list[object]] = []
    current: dict[str, list[object]] = {}
    for row in sorted(distinct, key=lambda r: (r["timestamp"], r["interaction_type"] == "Complaint")):
        customer, now = row["customer_id"], row["timestamp"]
        case = current.get(customer)
        if (
            case
            and now - case[1] > TIMEOUT
            or case
            and now - case[1] == TIMEOUT
            and row["interaction_type"] == "Complaint"
        ):  # type: ignore[operator]
            case = current.pop(customer, None) and None
        if row["interaction_type"] == "Complaint":
            if case is None:
                case = current[customer] = [customer, now, None, 0]
                found.append(case)
            case[3] += 1  # type: ignore[operator]
        elif case and row["rating"] in {None, 3, 4, 5} and now > case[1]:  # type: ignore[operator]
            case[2] = now
            del current[customer]
    return sorted((tuple(case) for case in found), key=str)  # type: ignore[misc]


@given(seed=st.integers(0, 10**6))
@QUICK
def test_cases_agree_with_a_walk_over_the_interactions(project: Compiled, seed: int) -> None:
    rng = random.Random(seed)
    rows = [interaction(rng) for _ in range(60)]
    lab = Lab(project)
    lab.land("interactions", rows)
    lab.run()
    names = ("customer_key", "opened_at", "resolved_at", "complaints")
    found = sorted((tuple(r[n] for n in names) for r in lab.table("fct_support_cases")), key=str)
    assert found == expected_cases(rows)
