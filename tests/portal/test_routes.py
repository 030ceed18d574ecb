"""Every route has a rule, and every role is let into the routes that the policy gives it, and into no other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from shoplake.access.policy import CONSOLES
from shoplake.portal.app import OPEN, make_app
from shoplake.portal.callers import caller
from shoplake.portal.pages.answering import PageRoute
from shoplake.settings import Settings
from tests.access.test_matrix import USERS, said
from tests.portal.conftest import As
from tests.portal.serving import Serving

SIGNED_IN = {"GET /v1/me", "DELETE /v1/sessions/current", "GET /v1/queries", "DELETE /v1/queries/{query_id}"}
"""Routes for whoever is somebody."""
RULES = {
    "GET /v1/kpis": "kpis",
    "GET /v1/kpis/{name}": "kpi",
    "POST /v1/sql": "sql",
    "GET /v1/saved-queries": "sql",
    "POST /v1/saved-queries": "sql",
    "PUT /v1/saved-queries/{query_id}": "sql",
    "DELETE /v1/saved-queries/{query_id}": "sql",
    "GET /v1/query-history": "sql",
    "DELETE /v1/query-history": "sql",
    "GET /v1/live": "live",
    "GET /metrics": "status",
}
"""Console of every other route; a new route gets a line here."""
EXAMPLES = {
    "GET /v1/kpis/{name}": "/v1/kpis/total_sales",
    "DELETE /v1/queries/{query_id}": "/v1/queries/none",
    "PUT /v1/saved-queries/{query_id}": "/v1/saved-queries/none",
    "DELETE /v1/saved-queries/{query_id}": "/v1/saved-queries/none",
}
"""Addresses of routes that take a parameter."""


def routes(found: Iterable[BaseRoute]) -> Iterator[tuple[str, APIRoute]]:
    for route in found:
        if isinstance(route, PageRoute):
            continue  # pages ask for a browser's session: see pages/test_page_routes.py
        if isinstance(route, APIRoute):
            yield from ((f"{method} {route.path}", route) for method in route.methods)
        elif hasattr(route, "original_router"):
            yield from routes(route.original_router.routes)
        else:
            assert getattr(route, "path", None) == "/v1/openapi.json", f"{route} is of a kind that has no rule here"


def depended_on(dependant: Dependant) -> Iterator[object]:
    for one in dependant.dependencies:
        yield one.call
        yield from depended_on(one)


ROUTES = dict(routes(make_app(Settings()).routes))


def is_open(name: str) -> bool:
    return name in OPEN or name.partition(" ")[2] in OPEN


def test_every_route_is_known_here() -> None:
    closed = {name for name in ROUTES if not is_open(name)}
    assert closed == SIGNED_IN | RULES.keys(), "a new route needs a line in RULES, with its console"
    assert set(RULES.values()) <= CONSOLES


@pytest.mark.parametrize("name", ROUTES)
def test_a_route_asks_who_calls_and_for_the_console_of_its_rule(name: str) -> None:
    needed = list(depended_on(ROUTES[name].dependant))
    assert (caller in needed) != is_open(name)
    assert [console for one in needed if (console := getattr(one, "console", None))] == [
        RULES[name] for _ in range(name in RULES)
    ]


@pytest.mark.parametrize("name", sorted(SIGNED_IN | RULES.keys()))
def test_nobody_gets_nothing(served: Serving, name: str) -> None:
    method, _, path = name.partition(" ")
    assert served.anybody.request(method, EXAMPLES.get(name, path)).status_code == 401


@pytest.mark.parametrize("user", USERS)
def test_a_role_is_let_into_the_routes_of_its_consoles(as_user: As, user: str) -> None:
    for name, console in RULES.items():
        method, _, path = name.partition(" ")
        answer = as_user(user).request(method, EXAMPLES.get(name, path))
        is_shut_out = answer.status_code == 403 and f"may not use {console}:" in answer.json()["error"]["message"]
        assert is_shut_out != (console in said(user)["consoles"]), (name, answer.text[:200])
        assert answer.status_code < 500
