"""The page of the API: what the OpenAPI document says, as HTML that needs no script and no other host."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import HTMLResponse, Response

router = APIRouter(prefix="/v1", tags=["documentation"])
STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;"
    "padding:0 1rem}h2{margin-top:2.5rem;border-bottom:1px solid}code{font:.9em ui-monospace,monospace}"
    "table{border-collapse:collapse;width:100%;display:block;overflow-x:auto}"
    "th,td{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0}pre{white-space:pre-wrap}"
)
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


PAGE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The page.", "content": {"text/html": {"schema": {"type": "string"}}}}
}


@router.get("/docs", response_class=Response, responses=PAGE)
async def docs(request: Request) -> HTMLResponse:
    """Show this page."""
    return HTMLResponse(_page(request.app), headers={"content-security-policy": POLICY})


@cache
def _page(app: FastAPI) -> str:
    document = app.openapi()
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>{escape(document['info']['title'])} API</title><style>{STYLE}</style>",
        f"<h1>{escape(document['info']['title'])} API {escape(document['info']['version'])}</h1>",
        *(f"<p>{_text(paragraph)}</p>" for paragraph in document["info"]["description"].strip().split("\n\n")),
        "<p>The same for programs: <a href=/v1/openapi.json>openapi.json</a>.</p>",
    ]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts += _operation(document, method.upper(), path, operation)
    return "\n".join(parts)


def _operation(document: dict[str, Any], method: str, path: str, operation: dict[str, Any]) -> list[str]:
    who = " or ".join(name for scheme in operation.get("security", ()) for name in scheme) or "nothing: it is open"
    parts = [
        f"<h2><code>{method} {escape(path)}</code></h2>",
        f"<p>{_text(operation.get('description', operation['summary']))}</p>",
        f"<p>Needs: {escape(who)}.</p>",
    ]
    fields = [
        (f"<code>{escape(one['name'])}</code>", one["in"], _kind(document, one["schema"]), one.get("description", ""))
        for one in operation.get("parameters", ())
        if one["in"] != "cookie"
    ]
    for body in operation.get("requestBody", {}).get("content", {}).values():
        schema = _resolved(document, body["schema"])
        fields += [
            (f"<code>{escape(name)}</code>", "body", _kind(document, one), one.get("description", ""))
            for name, one in schema.get("properties", {}).items()
        ]
    if fields:
        rows = "".join(
            f"<tr><td>{name}<td>{escape(place)}<td>{escape(kind)}<td>{_text(text)}"
            for name, place, kind, text in fields
        )
        parts.append(f"<table><tr><th>Parameter<th>In<th>Kind<th>What{rows}</table>")
    answers = "".join(
        f"<tr><td>{escape(status)}<td>{_text(one['description'])}" for status, one in operation["responses"].items()
    )
    parts.append(f"<table><tr><th>Status<th>Answer{answers}</table>")
    return parts


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return found


def _kind(document: dict[str, Any], schema: dict[str, Any]) -> str:
    """Name the type of a parameter."""
    if "anyOf" in schema:
        return " or ".join(_kind(document, one) for one in schema["anyOf"] if one.get("type") != "null")
    if "enum" in schema:
        return ", ".join(str(value) for value in schema["enum"])
    resolved = _resolved(document, schema)
    if resolved.get("type") == "array":
        return f"list of {_kind(document, resolved.get('items', {}))}"
    return str(resolved.get("type", "any"))


def _text(text: str) -> str:
    """Give text as HTML, with what stands between backticks as code."""
    pieces = escape(text).split("`")
    return "".join(f"<code>{piece}</code>" if number % 2 else piece for number, piece in enumerate(pieces))
