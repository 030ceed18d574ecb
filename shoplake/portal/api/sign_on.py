"""Single sign-on: to the provider, and back with a session."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import time
from dataclasses import asdict
from typing import Annotated, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse

from shoplake.access.login import Session
from shoplake.access.single_sign_on import AGAIN, Begun, SingleSignOn
from shoplake.audit.entry import Actor, acting_as
from shoplake.errors import AuthenticationFailed, NotFoundError
from shoplake.portal.api.sessions import NOBODY
from shoplake.portal.callers import SESSION_COOKIE, keep_session
from shoplake.portal.refusals import documented
from shoplake.portal.service import TheService

router = APIRouter(prefix="/v1", tags=["people"])
COOKIE = "__Host-shoplake-sign-on"
BEGUN_SECONDS = 600
NONCE_BYTES = 12
_KEY = AESGCM.generate_key(256)
"""Seals what a browser keeps until it comes back; a service that has started anew knows none of these logins."""
OWN_PATH = re.compile(r"/(?![/\\])[\w\-./~?=&%+,:]*", re.ASCII)
AFTER = "/v1/me"


@router.get("/sign-on", status_code=303, response_class=RedirectResponse, responses=documented(404, 422, 500, 502, 503))
async def begin(
    request: Request,
    service: TheService,
    next_: Annotated[str, Query(alias="next", max_length=500, description="Path to go to once signed in.")] = AFTER,
) -> RedirectResponse:
    """Send the browser to the provider of single sign-on."""
    if not service.settings.oidc_issuer:
        raise NotFoundError("This service has no single sign-on.", hint="Sign in by POST /v1/sessions.")
    back = f"https://{request.headers['host']}{request.url.path}/callback"
    begun = await service.signing_in.run(lambda: SingleSignOn(service.settings, service.logins.now()).begin(back))
    answer = RedirectResponse(begun.address, 303)
    kept = _seal(
        asdict(begun) | {"next": next_ if OWN_PATH.fullmatch(next_) else AFTER, "until": time.time() + BEGUN_SECONDS}
    )
    answer.set_cookie(COOKIE, kept, max_age=BEGUN_SECONDS, path="/", secure=True, httponly=True, samesite="lax")
    return answer


@router.get(
    "/sign-on/callback", status_code=303, response_class=RedirectResponse, responses=documented(401, 500, 502, 503)
)
async def finish(request: Request, service: TheService) -> RedirectResponse:
    """Begin a session for the person whom the provider sends back."""
    kept = _open(request.cookies.get(COOKIE, ""))
    begun = Begun(**{name: kept[name] for name in Begun.__dataclass_fields__})
    came_back = f"{begun.redirect_uri}?{request.url.query}"
    address, replaces = request.client.host if request.client else "", request.cookies.get(SESSION_COOKIE, "")

    def end() -> Session:
        provider = SingleSignOn(service.settings, service.logins.now())
        return provider.finish(begun, came_back, address=address, replaces=replaces)

    with acting_as(Actor(NOBODY)):
        session = await service.signing_in.run(end)
    answer = RedirectResponse(kept["next"], 303)
    keep_session(answer, session.token, int(service.settings.session_hours * 3600))
    answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return answer


def _seal(kept: dict[str, Any]) -> str:
    nonce = os.urandom(NONCE_BYTES)
    return base64.urlsafe_b64encode(nonce + AESGCM(_KEY).encrypt(nonce, json.dumps(kept).encode(), None)).decode()


def _open(sealed: str) -> dict[str, Any]:
    try:
        data = base64.urlsafe_b64decode(sealed.encode())
        kept: dict[str, Any] = json.loads(AESGCM(_KEY).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], None))
    except (binascii.Error, ValueError, InvalidTag):
        kept = {}
    if kept.get("until", 0) < time.time():
        raise AuthenticationFailed("No login of this browser is under way, or it took too long.", hint=AGAIN)
    return kept
