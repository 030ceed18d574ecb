"""A real OpenID Connect provider (Django OAuth Toolkit) in a process of its own, on loopback."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).parents[1]
CLIENT, SECRET = "shoplake", "a secret of the client"
CALLBACK = "http://127.0.0.1:1/callback"
WORD = "a word for the provider"
PEOPLE: dict[str, dict[str, list[str]]] = {
    "nora": {"groups": ["shop-sales"], "regions": ["North"]},
    "max": {"groups": ["unknown", "shop-finance", "shop-sales"], "regions": ["*"]},
    "lost": {"groups": ["unknown"], "regions": ["*"]},
    "blank": {"groups": ["shop-sales"], "regions": []},
}
"""Whom the provider knows: their groups and the regions that limit them."""


@contextmanager
def started_provider(folder: Path, callback: str = CALLBACK) -> Iterator[str]:
    """Give the issuer of a running provider that sends people back to ``callback``."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.oidc", str(folder), callback], cwd=ROOT, env=environment, stderr=subprocess.PIPE
    )
    try:
        place = folder / "issuer"
        deadline = time.monotonic() + 120
        while not place.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                assert process.stderr is not None
                raise RuntimeError(process.stderr.read().decode())
            time.sleep(0.1)
        yield place.read_text(encoding="utf-8")
    finally:
        process.terminate()
        process.communicate()


def come_back(address: str, name: str) -> str:
    """Sign in at the provider as its user would; give the address to which it sends the browser back."""
    answer = requests.get(address, auth=(name, WORD), allow_redirects=False, timeout=60)
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


def _configure(folder: Path, issuer: str) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from django.conf import settings

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    settings.configure(
        SECRET_KEY=base64.b64encode(os.urandom(32)).decode(),
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF="tests.oidc_urls",
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
        MIDDLEWARE=["tests.oidc.basic"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "provider.db")}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        USE_TZ=True,
        OAUTH2_PROVIDER={
            "OIDC_ENABLED": True,
            "OIDC_ISS_ENDPOINT": issuer,
            "OIDC_RSA_PRIVATE_KEY": key.decode(),
            "OAUTH2_VALIDATOR_CLASS": "tests.oidc_urls.Validator",
            "PKCE_REQUIRED": True,
            "SCOPES": {"openid": "OpenID", "profile": "Profile", "email": "Email"},
        },
    )


def basic(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Let a browser sign in by HTTP Basic, checked by Django; the token endpoint's client does so on its own."""

    def respond(request: Any) -> Any:
        from django.contrib.auth import authenticate
        from django.contrib.auth.models import AnonymousUser

        user, sent = None, request.headers.get("Authorization", "")
        if sent.startswith("Basic ") and "authorize" in request.path:
            name, _, word = base64.b64decode(sent[6:]).decode().partition(":")
            user = authenticate(username=name, password=word)
        request.user = user or AnonymousUser()
        return get_response(request)

    return respond


def main(folder: Path, callback: str) -> None:
    """Make the provider's database and serve it."""
    from wsgiref.simple_server import make_server

    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
    server = make_server("127.0.0.1", 0, lambda *_: [])
    issuer = f"http://127.0.0.1:{server.server_port}/o"
    _configure(folder, issuer)

    import django
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application

    django.setup()
    call_command("migrate", verbosity=0)
    from django.contrib.auth.models import User
    from oauth2_provider.models import get_application_model

    for name, claims in PEOPLE.items():
        User.objects.create_user(name, f"{name}@shop.example", WORD, last_name=json.dumps(claims))
    get_application_model().objects.create(
        client_id=CLIENT,
        client_secret=SECRET,
        client_type="confidential",
        authorization_grant_type="authorization-code",
        redirect_uris=callback,
        algorithm="RS256",
        skip_authorization=True,
    )
    server.set_app(get_wsgi_application())
    part = folder / "issuer.part"
    part.write_text(issuer, encoding="utf-8")
    part.rename(folder / "issuer")
    server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
