"""The OpenAPI document says what the service does, and no request made from it breaks the service or a rule."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import status_code_conformance

from shoplake.settings import Settings, load_settings
from tests.access.released import COST, SOUTH, WORDS
from tests.portal.serving import Serving, token_of
from tests.portal.test_routes import ROUTES, is_open

MANY, PROVEN = 300, 2_000


@pytest.fixture(scope="module")
def hammered(released: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Give a service of its own: so many failed logins shut the address out for a while."""
    home = tmp_path_factory.mktemp("hammered") / "home"
    shutil.copytree(released.home, home)
    with Serving(load_settings(home), "--no-stream", "--no-collect") as serving:
        yield serving


def document(serving: Serving) -> dict[str, Any]:
    found: dict[str, Any] = serving.anybody.get("/v1/openapi.json").json()
    return found


def test_every_route_says_who_may_call_it_and_how_it_fails(served: Serving) -> None:
    paths = document(served)["paths"]
    shape = {"$ref": "#/components/schemas/ErrorAnswer"}
    for name, route in ROUTES.items():
        method, _, path = name.partition(" ")
        if not route.include_in_schema:
            continue
        said = paths[path][method.lower()]
        schemes = {scheme for one in said.get("security", ()) for scheme in one}
        assert schemes == (set() if is_open(name) else {"token", "session"}), name
        assert said["description"]
        failures = {status: one for status, one in said["responses"].items() if int(status) >= 400}
        assert {"422", "500"} <= failures.keys()
        assert is_open(name) or "401" in failures
        assert all(one["content"]["application/json"]["schema"] == shape for one in failures.values()), name


def hammer(serving: Serving, user: str, number: int) -> int:
    """Send cases made from the document, good and bad ones in turn; give how many were sent."""
    schema = schemathesis.openapi.from_dict(document(serving))
    authority = str(serving.settings.home / "tls" / "ca.pem")
    session = requests.Session()
    session.headers["authorization"] = f"Bearer {token_of(serving.settings, user)}"
    operations = [found.ok() for found in schema.get_all_operations()]
    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    cases = st.one_of([one.as_strategy(mode) for one in operations for mode in modes])
    sent = 0

    @settings(
        max_examples=number,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def send(case: schemathesis.Case) -> None:
        nonlocal sent
        sent += 1
        answer = case.call(base_url=serving.url, session=session, verify=authority, allow_redirects=False, timeout=120)
        case.validate_response(answer, checks=[not_a_server_error, status_code_conformance])
        for canary in (SOUTH, str(COST), WORDS):
            assert canary not in answer.text
        if answer.status_code >= 400:
            assert answer.json()["error"].keys() == {"code", "message", "hint"}

    send()
    assert serving.anybody.get("/healthz").status_code == 200
    return sent


def test_no_request_made_from_the_document_breaks_anything(hammered: Serving) -> None:
    assert hammer(hammered, "north_sales", MANY) >= MANY * 0.9


@pytest.mark.proof
@pytest.mark.parametrize("user", ["north_sales", "auditor"])
def test_no_request_of_very_many_breaks_anything(hammered: Serving, user: str) -> None:
    assert hammer(hammered, user, PROVEN) >= PROVEN * 0.9
