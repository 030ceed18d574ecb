"""The ways in which each source goes wrong, one or more for each rule of its contract.

Money keeps at most two decimals even where it is wrong, so that sums by hand agree to the cent.
"""

from __future__ import annotations

import datetime as dt

from shoplake.simulator.dirt import Edit, Kind, Row


def _set(**values: object) -> Edit:
    return lambda row: row.update(values)


def _spaced(field: str) -> Edit:
    return lambda row: row.update({field: f" {row[field]} "})


def _zeros(field: str) -> Edit:
    return lambda row: row.update({field: f"00{row[field]}"})


def _whole_fraction(field: str) -> Edit:
    return lambda row: row.update({field: f"{row[field]}.0"})


def _as_text(field: str, otherwise: str | None = None) -> Edit:
    return lambda row: row.update({field: otherwise if row[field] is None else str(row[field])})


def _milliseconds(field: str) -> Edit:
    return lambda row: row.update({field: type(row[field])(round(float(row[field]) * 1000))})


def _iso(field: str) -> Edit:
    def edit(row: Row) -> None:
        moment = dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(milliseconds=round(float(row[field]) * 1000))
        row[field] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    return edit


def _nothing_sold(row: Row) -> None:
    row.update(quantity="0", revenue=row["revenue"].lstrip("-"), discount_applied=row["discount_applied"].lstrip("-"))


def _twice_the_line(row: Row) -> None:
    row.update(quantity=str(2 * int(row["quantity"])), revenue=f"{2 * float(row['revenue']):.2f}")


def _another_rating(row: Row) -> None:
    row["rating"] = (row["rating"] or 0) % 5 + 1


def _one_more_unit(row: Row) -> None:
    row["stock_level"] = str(int(row["stock_level"]) + 1)


def _errors(**edits: Edit) -> list[Kind]:
    return [Kind(name, "error", edit) for name, edit in edits.items()]


def _warnings(**edits: Edit) -> list[Kind]:
    return [Kind(name, "warning", edit) for name, edit in edits.items()]


def _repairs(**edits: Edit) -> list[Kind]:
    return [Kind(name, "repair", edit) for name, edit in edits.items()]


def _time_errors(field: str, *, as_text: bool) -> list[Kind]:
    convert = str if as_text else float
    return _errors(
        time_missing=_set(**{field: "" if as_text else None}),
        time_unreadable=_set(**{field: "yesterday"}),
        time_before_2000=_set(**{field: convert(86_400)}),
        time_in_future=_set(**{field: convert(4_102_444_800)}),
    )


DUPLICATE = Kind("duplicate", "duplicate", _set())

POS = (
    *_errors(
        transaction_missing=_set(transaction_id=""),
        store_missing=_set(store_id=""),
        store_not_integer=_set(store_id="till-4"),
        product_missing=_set(product_id=""),
        product_not_integer=_set(product_id="N/A"),
        quantity_missing=_set(quantity=""),
        quantity_not_integer=_set(quantity="1.5"),
        revenue_missing=_set(revenue=""),
        revenue_not_number=_set(revenue="free"),
        discount_not_number=_set(discount_applied="10%"),
        negative_quantity_alone=_set(quantity="-1", revenue="19.99", discount_applied=""),
        negative_revenue_alone=_set(quantity="1", revenue="-19.99", discount_applied=""),
        discount_below_zero=_set(quantity="1", revenue="19.99", discount_applied="-2.5"),
        discount_above_revenue=_set(quantity="1", revenue="19.99", discount_applied="25"),
        discount_adds_to_return=_set(quantity="-1", revenue="-19.99", discount_applied="2.5"),
    ),
    *_time_errors("timestamp", as_text=True),
    *_warnings(zero_quantity=_nothing_sold, zero_revenue=_set(revenue="0", discount_applied="")),
    *_repairs(
        spaces=_spaced("transaction_id"),
        spaced_number=_spaced("revenue"),
        leading_zeros=_zeros("store_id"),
        leading_zeros_of_product=_zeros("product_id"),
        whole_fraction=_whole_fraction("quantity"),
        milliseconds=_milliseconds("timestamp"),
        iso_time=_iso("timestamp"),
    ),
    DUPLICATE,
    Kind("conflict", "conflict", _twice_the_line),
)

INVENTORY = (
    *_errors(
        id_missing=_set(inventory_id=""),
        id_not_integer=_set(inventory_id="#REF!"),
        product_missing=_set(product_id=""),
        product_not_integer=_set(product_id="unlabelled"),
        warehouse_missing=_set(warehouse_id=""),
        warehouse_not_integer=_set(warehouse_id="WH-2"),
        level_missing=_set(stock_level=""),
        level_not_integer=_set(stock_level="12.5"),
        threshold_not_integer=_set(restock_threshold="auto"),
    ),
    *_time_errors("last_updated", as_text=True),
    *_warnings(oversold=_set(stock_level="-2"), negative_threshold=_set(restock_threshold="-1")),
    *_repairs(
        spaces=_spaced("warehouse_id"),
        leading_zeros=_zeros("warehouse_id"),
        whole_fraction=_whole_fraction("stock_level"),
        milliseconds=_milliseconds("last_updated"),
        iso_time=_iso("last_updated"),
    ),
    DUPLICATE,
    Kind("conflict", "conflict", _one_more_unit),
)

WEB_EVENTS = (
    *_errors(
        session_missing=_set(session_id=None),
        session_blank=_set(session_id="  "),
        session_not_string=_set(session_id={"id": "9f31"}),
        user_not_integer=_set(user_id="guest"),
        page_missing=_set(page=None),
        page_not_string=_set(page=["/", "/cart"]),
        device_not_string=_set(device_type={"name": "Mobile"}),
        browser_not_string=_set(browser=True),
        event_type_not_string=_set(event_type=["Click"]),
    ),
    *_time_errors("timestamp", as_text=False),
    *_warnings(
        unknown_device=_set(device_type="Television"),
        unknown_event_type=_set(event_type="Hover"),
    ),
    *_repairs(
        spaces=_spaced("page"),
        lower_case=_set(device_type="mobile"),
        upper_case=_set(event_type="CLICK"),
        number_as_text=_as_text("user_id", otherwise="0100001"),
        milliseconds=_milliseconds("timestamp"),
        iso_time=_iso("timestamp"),
    ),
    DUPLICATE,
    Kind("conflict", "conflict", _set(browser="Lynx")),
)

INTERACTIONS = (
    *_errors(
        customer_missing=_set(customer_id=None),
        customer_not_integer=_set(customer_id="anonymous"),
        type_missing=_set(interaction_type=None),
        type_unknown=_set(interaction_type="Praise"),
        channel_not_string=_set(channel={"name": "Email"}),
        rating_below_minimum=_set(rating=0),
        rating_above_maximum=_set(rating=6),
        rating_not_integer=_set(rating=4.5),
        message_not_string=_set(message_excerpt=["Hello", "again"]),
    ),
    *_time_errors("timestamp", as_text=False),
    *_warnings(unknown_channel=_set(channel="Fax")),
    *_repairs(
        spaces=_spaced("interaction_type"),
        lower_case=_set(channel="email"),
        number_as_text=_as_text("customer_id"),
        whole_fraction=_set(rating=3.0),
        milliseconds=_milliseconds("timestamp"),
        iso_time=_iso("timestamp"),
    ),
    DUPLICATE,
    Kind("conflict", "conflict", _another_rating),
)
