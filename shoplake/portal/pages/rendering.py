"""Makes HTML out of templates, with the headers that keep a page to itself."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse

from shoplake.portal.pages.assets import load_assets
from shoplake.portal.pages.boards import TITLES
from shoplake.portal.pages.language import LANGUAGES, Language

if TYPE_CHECKING:
    from jinja2 import Environment
    from starlette.requests import Request
    from starlette.responses import Response

TEMPLATES = Path(__file__).parents[1] / "templates"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    # A form of ours names its origin, by which a foreign one is told apart; other sites learn nothing.
    "referrer-policy": "same-origin",
    "vary": "Cookie, Accept-Language, HX-Request, Accept-Encoding",
}
COMPRESSION = 6
HTMX = (
    '{"includeIndicatorStyles": false, "allowEval": false, "allowScriptTags": false, "selfRequestsOnly": true,'
    ' "timeout": 30000, "historyCacheSize": 0}'
)


def text_of(template: str, language: Language, theme: str = "", **shown: Any) -> str:  # noqa: ANN401 - a template's
    """Give a template's text in a language."""
    known = {"language": language, "_": language.text, "theme": theme}
    return _environment().get_template(template).render(**known, **shown)


def page(template: str, language: Language, theme: str = "", *, status: int = 200, **shown: Any) -> Response:  # noqa: ANN401
    """Answer with a template."""
    return HTMLResponse(text_of(template, language, theme, **shown), status, headers=HEADERS)


def part(request: Request, text: str) -> Response:
    """Answer with a part of a page, compressed where the browser takes it.

    A whole page holds the session's CSRF token and is not compressed, so that its length tells nothing of it.
    """
    content, headers = text.encode(), dict(HEADERS)
    if "gzip" in request.headers.get("accept-encoding", ""):
        content, headers["content-encoding"] = gzip.compress(content, COMPRESSION, mtime=0), "gzip"
    return HTMLResponse(content, headers=headers)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals |= {
        "asset": load_assets().address,
        "languages": LANGUAGES,
        "team_titles": TITLES,
        "htmx_config": HTMX,
    }
    return made
