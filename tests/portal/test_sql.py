"""SQL over HTTPS: each person's rows in every format, within limits, and ended when nobody waits for it."""

from __future__ import annotations

import csv
import io
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shoplake.access.formats import FORMATS
from shoplake.access.sql import query
from shoplake.client import Page
from shoplake.settings import Settings
from tests.access.formats.test_formats import HOSTILE, shown_by_excel
from tests.access.released import COST, SOUTH, WORDS, identities
from tests.portal.conftest import As
from tests.portal.serving import Serving, token_of

STORES = "select store_id, region, sale_date, net_amount, sale_lines from sales.mart_sales__store_day order by all"
ENDLESS = "select count(*) from range(100000000) a, range(100000000) b where (a.range + b.range) % 7 = 3"


class Clients(dict[str, httpx.Client]):
    """A client of each user who is asked for."""

    def __init__(self, as_user: As) -> None:
        self._as_user = as_user

    def __missing__(self, user: str) -> httpx.Client:
        self[user] = self._as_user(user)
        return self[user]


@pytest.fixture(scope="session")
def clients(as_user: As) -> Clients:
    return Clients(as_user)


@pytest.fixture(scope="session")
def home(served: Serving) -> Settings:
    return served.settings


def ask(client: httpx.Client, sql: str, **more: Any) -> httpx.Response:
    return client.post("/v1/sql", json={"sql": sql, **more})


def rows_of(answer: httpx.Response) -> list[tuple[Any, ...]]:
    """Read an answer with a library that its format is for."""
    assert answer.status_code == 200, answer.text
    kind, body = answer.headers["content-type"].partition(";")[0], answer.content
    name = next(one.name for one in FORMATS.values() if one.media_type == kind)
    if name == "json":
        return Page(json.loads(body)).rows
    if name == "csv":
        return [tuple(row) for row in csv.reader(io.StringIO(body.decode(), newline=""))][1:]
    if name == "xlsx":
        sheet = openpyxl.load_workbook(io.BytesIO(body)).worksheets[0]
        return [tuple(shown_by_excel(v) for v in row) for row in sheet.values][1:]
    table = pa.ipc.open_stream(body).read_all() if name == "arrow" else pq.read_table(io.BytesIO(body))
    return [tuple(row.values()) for row in table.to_pylist()]


def as_text(rows: list[tuple[Any, ...]]) -> list[list[str]]:
    """Give rows so that equal values of different formats are equal: numbers by value, dates without a time."""
    return [[_text(value) for value in row] for row in rows]


def _text(value: Any) -> str:
    try:
        return f"{float(value):.6f}"
    except (TypeError, ValueError):
        return str(value).removesuffix(" 00:00:00")


@pytest.mark.parametrize("user", ["sales", "north_sales", "finance"])
def test_every_format_holds_what_the_person_sees(home: Settings, clients: Clients, user: str) -> None:
    who = next(identity for identity in identities(home) if identity.name == user)
    expected = query(home, STORES, identity=who)
    assert len(expected.rows) == (2 if user == "north_sales" else 4)
    for name in FORMATS:
        answer = ask(clients[user], STORES, format=name)
        assert as_text(rows_of(answer)) == as_text(expected.rows), name
        assert answer.headers["shoplake-release"] == expected.release
        assert answer.headers["shoplake-cut"] == "false"
        assert answer.headers["shoplake-rows"] == str(len(expected.rows))
        assert ("content-disposition" in answer.headers) == (name != "json")
        by_header = clients[user].post("/v1/sql", json={"sql": STORES}, headers={"accept": FORMATS[name].media_type})
        assert as_text(rows_of(by_header)) == as_text(expected.rows)


def test_what_a_person_may_not_see_is_in_no_format(clients: Clients) -> None:
    for name in ("json", "csv", "arrow"):
        everything = ask(clients["north_sales"], "select * from warehouse.dim_store", format=name).content
        assert b"Shop N" in everything
        assert SOUTH.encode() not in everything
        refused = ask(clients["sales"], "select unit_cost_amount from warehouse.dim_product", format=name)
        assert refused.status_code == 403
        assert str(COST) not in refused.text
    words = ask(clients["data_engineer"], "select message_ciphertext from warehouse.fct_interactions")
    assert words.status_code == 403
    assert WORDS not in words.text


def test_a_page_is_for_all_who_may_ask_and_an_export_for_who_may_export(
    clients: Clients,
) -> None:
    rows = "select range from range(3000)"
    page = ask(clients["support"], rows)
    assert (page.json()["row_count"], page.json()["is_cut"]) == (1000, True)
    for more in ({"limit": 1001}, {"format": "csv"}, {"format": "arrow", "limit": 1}, {"format": "xlsx"}):
        refused = ask(clients["support"], rows, **more)
        assert refused.status_code == 403, more
        assert refused.json()["error"]["code"] == "denied"
        assert "ask for JSON of at most 1,000 rows" in refused.json()["error"]["message"]
    whole = ask(clients["sales"], rows, limit=5000)
    assert (whole.json()["row_count"], whole.json()["is_cut"]) == (3000, False)
    assert ask(clients["admin"], "select 1").json()["error"]["code"] == "denied"


def test_each_answer_is_one_record_that_says_how_it_left(home: Settings, clients: Clients) -> None:
    from shoplake.audit.reading import Wanted, find

    marked = "select 'Marked' m, store_id from sales.mart_sales__store_day"
    ask(clients["sales"], marked)
    ask(clients["sales"], marked, format="csv")
    ask(clients["support"], marked, format="csv")
    found = [entry for entry in find(home, Wanted(action="sql")) if entry.detail.get("sql") == marked]
    assert [(e.actor, e.role, e.outcome, e.rows) for e in found] == [
        ("sales", "sales", "ok", 4),
        ("sales", "sales", "ok", 4),
        ("support", "support", "failed", None),
    ]
    assert [(e.detail["format"], e.detail.get("is_export", False)) for e in found] == [
        ("json", False),
        ("csv", True),
        ("csv", True),
    ]
    assert found[0].tables == ["sales.mart_sales__store_day"]


def test_parameters_by_place_and_by_name(clients: Clients) -> None:
    sales = clients["sales"]
    by_place = ask(sales, "select ? + 1, ?, ?::date, ?::decimal(9,2)", params=[1, None, "2026-03-01", "1.10"]).json()
    assert by_place["rows"] == [[2, None, "2026-03-01", "1.10"]]
    assert ask(sales, "select $a || $b", params={"a": "x", "b": "y"}).json()["rows"] == [["xy"]]
    for params in ([], [1, 2], {"a": 1}):
        assert ask(sales, "select ?::int", params=params).json()["error"]["code"] == "query"


@pytest.mark.parametrize("name", list(FORMATS))
def test_hostile_texts_leave_as_they_are(clients: Clients, name: str) -> None:
    texts = [text for text in HOSTILE if "\u0000" not in text]
    answer = ask(
        clients["sales"],
        """select unnest(from_json($texts, '["varchar"]')) t""",
        params={"texts": json.dumps(texts)},
        format=name,
    )
    found = [value for (value,) in rows_of(answer)]
    assert [text or "" for text in found] == texts
    assert not any(text in str(answer.headers) for text in texts if len(text) > 3)


def test_limits_of_rows_and_time(clients: Clients) -> None:
    cut = ask(clients["sales"], "select range from range(10)", format="arrow", limit=3)
    assert cut.headers["shoplake-cut"] == "true"
    assert len(rows_of(cut)) == 3
    slow = ask(clients["sales"], ENDLESS, seconds=0.5)
    assert (slow.status_code, slow.json()["error"]["code"]) == (400, "query_timeout")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"sql": "selec"}, 400, "query"),
        ({"sql": "select 1; select 2"}, 400, "query"),
        ({"sql": "drop table x"}, 400, "query"),
        ({"sql": "select * from sales.nothing"}, 400, "query"),
        ({"sql": "select 1", "release": "20200101T000000Z-000000"}, 404, "not_found"),
        ({"sql": "select 1", "database": "finance"}, 404, "not_found"),
        ({"sql": "select 1", "format": "xml"}, 422, "validation"),
        ({"sql": "select 1", "limit": 0}, 422, "validation"),
        ({"sql": "select 1", "seconds": -1}, 422, "validation"),
        ({"sql": "select 1", "what": 1}, 422, "validation"),
        ({"sql": "select 1", "params": [{"a": 1}]}, 422, "validation"),
        ({"sql": ""}, 422, "validation"),
        ({}, 422, "validation"),
        ({"sql": "select '" + "x" * 40_000 + "'", "format": "xlsx"}, 400, "input"),
    ],
)
def test_a_mistake_is_answered_in_the_one_shape(clients: Clients, body: dict[str, Any], status: int, code: str) -> None:
    answer = clients["sales"].post("/v1/sql", json=body)
    assert answer.status_code == status
    assert answer.json().keys() == {"error"}
    assert answer.json()["error"]["code"] == code
    assert answer.json()["error"]["message"]


def test_what_is_no_text_and_who_is_nobody(served: Serving, home: Settings, clients: Clients) -> None:
    half = b'{"sql": "select \'\\ud800\'"}'
    odd = clients["sales"].post("/v1/sql", content=half, headers={"content-type": "application/json"})
    assert odd.status_code in {400, 422}
    assert (
        clients["sales"].post("/v1/sql", json={"sql": "select 1"}, headers={"accept": "image/png"}).status_code == 400
    )
    assert ask(served.anybody, "select 1").status_code == 401
    with served.client(token_of(home, "sales", ["kpi"])) as narrow:
        assert ask(narrow, "select 1").status_code == 403


def running(client: httpx.Client) -> list[dict[str, Any]]:
    answer = client.get("/v1/queries")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


def until(is_so: Callable[[], Any]) -> Any:
    """Wait for something that takes a moment."""
    ends = time.monotonic() + 120
    while not (found := is_so()):
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.02)
    return found


def test_a_query_is_seen_and_stopped_by_its_owner_or_by_who_may(
    served: Serving, home: Settings, clients: Clients
) -> None:
    for stopper in ("sales", "admin"):
        answers: list[httpx.Response] = []
        with served.client(token_of(home, "sales")) as another:
            waiting = threading.Thread(target=lambda c=another, a=answers: a.append(ask(c, ENDLESS)))
            waiting.start()
            (mine,) = until(lambda: running(clients["sales"]))
            assert (mine["user"], mine["sql"], mine["release"]) == ("sales", ENDLESS, None)
            assert running(clients["finance"]) == []
            assert clients["finance"].delete(f"/v1/queries/{mine['query_id']}").status_code == 404
            (seen,) = running(clients["admin"])
            assert (seen["query_id"], seen["user"], seen["sql"]) == (mine["query_id"], "sales", None)
            assert clients[stopper].delete(f"/v1/queries/{mine['query_id']}").status_code == 204
            waiting.join(120)
        assert (answers[0].status_code, answers[0].json()["error"]["code"]) == (409, "query_cancelled")
        until(lambda: not running(clients["sales"]))


def test_a_caller_who_hangs_up_ends_the_query(served: Serving, home: Settings, clients: Clients) -> None:
    with served.client(token_of(home, "sales")) as another, pytest.raises(httpx.ReadTimeout):
        another.post("/v1/sql", json={"sql": ENDLESS}, timeout=httpx.Timeout(60, read=1))
    until(lambda: not running(clients["sales"]))
    assert ask(clients["sales"], "select 1").json()["rows"] == [[1]]


def test_the_openapi_document_shows_how_to_ask(served: Serving) -> None:
    document = served.anybody.get("/v1/openapi.json").json()
    asked = document["paths"]["/v1/sql"]["post"]
    assert asked["responses"]["200"]["content"].keys() == {one.media_type for one in FORMATS.values()}
    assert document["components"]["schemas"]["SqlQuestion"]["examples"]
    assert document["paths"].keys() >= {"/v1/queries", "/v1/queries/{query_id}"}
