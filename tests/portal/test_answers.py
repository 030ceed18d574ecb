"""What every answer has: the headers, the one shape of errors, and nothing of what went wrong inside."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import ssl

import httpx
import pytest
from starlette.requests import Request

from shoplake.errors import BuildError
from shoplake.portal.api.documentation import POLICY
from shoplake.portal.app import make_app
from shoplake.portal.front import HEADERS, Front
from shoplake.portal.service import Service
from shoplake.settings import Settings
from tests.portal.conftest import As
from tests.portal.serving import Serving

SECRET = "of-no-concern-to-anybody"  # noqa: S105 - what must not be told


def failing(served: Serving) -> list[httpx.Response]:
    """Give an answer of each kind of failure that can be had from outside."""
    ask = served.anybody
    return [
        ask.get("/nothing"),
        ask.get("/v1/kpis/"),
        ask.post("/healthz"),
        ask.request("TRACE", "/healthz"),
        ask.get("/v1/me"),
        ask.get("/v1/me", headers={"host": "evil.example"}),
        ask.get("/v1/sign-on"),
        ask.get("/v1/sign-on/callback?state=x&code=y"),
        ask.post("/v1/sessions", json={"name": 7, "password": SECRET, "more": SECRET}),
        ask.post("/v1/sessions", content=b'{"name": "' + SECRET.encode(), headers={"content-type": "application/json"}),
        ask.post("/v1/sessions", content=b"\xff\xfe{}", headers={"content-type": "application/json"}),
        ask.post("/v1/sessions", json={"name": "x" * 2_000_000, "password": ""}),
        ask.post(
            "/v1/sessions", content=(b"x" * 100_000 for _ in range(20)), headers={"content-type": "application/json"}
        ),
        ask.post("/v1/events/web_events", content=b"{}"),
        ask.get("/v1/events/web_events"),
        ask.get("/v1/live"),
        ask.post("/v1/track", content=b"{}"),
    ]


def test_every_failure_has_the_one_shape_and_repeats_nothing(served: Serving) -> None:
    answers = failing(served)
    assert [answer.status_code for answer in answers] == [
        *(404, 404, 405, 405, 401, 421, 404, 401, 422, 422, 422, 413, 413),
        *(401, 405, 401, 401),
    ]
    for answer in answers:
        error = answer.json()["error"]
        assert error.keys() == {"code", "message", "hint"}, answer.text
        assert error["code"]
        assert error["message"]
        assert SECRET not in answer.text


def test_every_answer_has_the_headers(served: Serving, as_user: As) -> None:
    good = [served.anybody.get(path) for path in ("/healthz", "/v1/openapi.json", "/v1/docs", "/tracker.js")]
    good += [as_user("sales").get(path) for path in ("/v1/me", "/v1/kpis/total_sales")]
    for answer in [*good, *failing(served)]:
        names = set(answer.headers)
        assert {name.decode() for name in HEADERS} <= names, answer.request.url
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert not names & {"server", "x-powered-by", "date"}
        own = answer.request.url.path == "/tracker.js"
        assert answer.headers["cache-control"] == ("public, max-age=3600" if own else "no-store")


def test_the_page_of_the_api_needs_nothing_else(served: Serving) -> None:
    page = served.anybody.get("/v1/docs")
    assert page.headers["content-security-policy"] == POLICY
    for text in ("/v1/kpis/{name}", "POST /v1/sessions", "X-CSRF-Token", "personal access token"):
        assert text in page.text or text.lower() in page.text.lower()
    assert "<script" not in page.text
    assert "//" not in page.text.replace("<!doctype", "")


def test_a_name_of_the_loopback_is_answered_and_a_health_check_by_any(served: Serving) -> None:
    port = served.url.rsplit(":", 1)[1]
    for host in (f"localhost:{port}", "127.0.0.1", f"[::1]:{port}", "LOCALHOST"):
        assert served.anybody.get("/v1/openapi.json", headers={"host": host}).status_code == 200
    for host in ("", "localhost.evil.example", "evil.example:443"):
        assert served.anybody.get("/v1/openapi.json", headers={"host": host}).status_code == 421
    assert served.anybody.get("/healthz", headers={"host": "10.0.0.7"}).json() == {"status": "ok"}


def test_only_tls_1_3_is_spoken(served: Serving) -> None:
    host, port = "127.0.0.1", int(served.url.rsplit(":", 1)[1])
    old = ssl.create_default_context(cafile=str(served.settings.home / "tls" / "ca.pem"))
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection((host, port)) as plain, pytest.raises(ssl.SSLError):
        old.wrap_socket(plain, server_hostname=host)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://{host}:{port}/healthz")
    assert served.anybody.get("/healthz").status_code == 200


@pytest.mark.parametrize("error", [RuntimeError(SECRET), BuildError(SECRET, hint=SECRET), KeyError(SECRET)])
def test_what_fails_inside_is_told_to_the_log_by_an_id(
    settings: Settings, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    service = Service(settings)
    app = make_app(settings, service)

    @app.get("/v1/broken/{what}")
    async def broken(what: str, request: Request) -> None:  # noqa: ARG001
        raise error

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(Front(app, service))
        async with httpx.AsyncClient(transport=transport, base_url="https://localhost") as client:
            return await client.get("/v1/broken/asked-for-this")

    with caplog.at_level(logging.ERROR):
        answer = asyncio.run(ask())
    assert answer.status_code == 500
    assert (answer.json()["error"]["code"], answer.headers["cache-control"]) == ("internal", "no-store")
    number = answer.json()["error"]["hint"].split()[-1].rstrip(".")
    (told,) = [record.getMessage() for record in caplog.records if record.name == "shoplake.portal"]
    assert number in told
    assert type(error).__name__ in told
    assert "test_answers.py" in told
    assert "asked-for-this" not in told
    assert SECRET not in json.dumps(answer.json())
    assert isinstance(error, BuildError) or SECRET not in told, "texts of other errors may hold what was shown"
