"""Signing in by an OpenID Connect provider: authorization code with PKCE; groups become roles."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from shoplake.access.login import Logins, Session
from shoplake.access.policy import load_policy
from shoplake.audit.recording import changing
from shoplake.errors import AuthenticationFailed, LockedError, SettingsError, UnreachableError

if TYPE_CHECKING:
    from shoplake.settings import Settings
    from shoplake.store.users import User

SCOPES = "openid profile email"
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
SECONDS = 10
LEEWAY_SECONDS = 60
EVERY_VALUE = "*"
"""What a limiting claim holds for somebody who is not limited."""
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
AGAIN = "Sign in again; whoever runs shoplake finds the settings oidc_… in docs/settings.md."


@dataclass(frozen=True)
class Begun:
    """A login that has gone to the provider; the browser it came from keeps it until it comes back."""

    address: str
    """Where to send the browser."""
    redirect_uri: str
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


class SingleSignOn:
    """One provider, as the settings name it."""

    def __init__(self, settings: Settings, logins: Logins) -> None:
        """Use the provider of a home.

        Raises:
            SettingsError: no provider is set, or it is spoken to without TLS.

        """
        place = urlsplit(settings.oidc_issuer)
        if not settings.oidc_issuer or not settings.oidc_client_id:
            raise SettingsError("No provider for single sign-on is set.", hint="Set oidc_issuer and oidc_client_id.")
        if place.scheme != "https" and place.hostname not in LOOPBACK:
            raise SettingsError("oidc_issuer must begin with https.", hint="Correct the setting.")
        self._settings, self._logins = settings, logins

    def begin(self, redirect_uri: str) -> Begun:
        """Begin a login that comes back to ``redirect_uri``.

        Raises:
            UnreachableError: the provider does not answer.

        """
        verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
        with self._client(redirect_uri) as client:
            address, state = client.create_authorization_url(
                self._provider["authorization_endpoint"], code_verifier=verifier, nonce=nonce
            )
        return Begun(address, redirect_uri, state, nonce, verifier)

    def finish(self, begun: Begun, came_back: str, *, address: str = "", replaces: str = "") -> Session:
        """Begin a session for the person who comes back from the provider.

        The person becomes a user at the first login. Role and limits are the provider's at each one.

        Args:
            begun: what the same browser kept.
            came_back: the whole address that it came back to.
            address: where the request comes from, for the record.
            replaces: token of the session that it had until now.

        Raises:
            AuthenticationFailed: the provider did not let the person in, its answer cannot be trusted, or none of the
                person's groups has a role.
            UnreachableError: the provider does not answer.

        """
        with changing(self._settings, "sign in", by="single sign-on", address=address or None) as entry:
            session = self._finish(begun, came_back, replaces)
            entry.detail["user"] = session.identity.name
        return session

    def _finish(self, begun: Begun, came_back: str, replaces: str) -> Session:
        from shoplake.access.releasing import apply

        state = parse_qs(urlsplit(came_back).query).get("state", [""])[0]
        if not hmac.compare_digest(state.encode(), begun.state.encode()):
            raise AuthenticationFailed("This login was not begun in this browser.", hint=AGAIN)
        claims = self._claims(begun, came_back)
        user, is_changed = self._user(claims)
        session = self._logins.begin_session(user, replaces=replaces)
        if is_changed:
            with suppress(LockedError):  # a run is under way; what it publishes is followed by `access apply`
                apply(self._settings)
        return session

    def _claims(self, begun: Begun, came_back: str) -> dict[str, Any]:
        from authlib.common.errors import AuthlibBaseError
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        try:
            with self._client(begun.redirect_uri, begun.state) as client:
                token = client.fetch_token(
                    self._provider["token_endpoint"],
                    authorization_response=came_back,
                    code_verifier=begun.verifier,
                    timeout=SECONDS,
                )
            keys = KeySet.import_key_set(self._get(self._provider["jwks_uri"]))
            claims = jwt.decode(token["id_token"], keys, algorithms=ALGORITHMS).claims
            registry = jwt.JWTClaimsRegistry(
                leeway=LEEWAY_SECONDS,
                iss={"essential": True, "value": self._settings.oidc_issuer},
                aud={"essential": True, "value": self._settings.oidc_client_id},
                nonce={"essential": True, "value": begun.nonce},
                sub={"essential": True},
                exp={"essential": True},
            )
            registry.validate(claims)
        except (AuthlibBaseError, JoseError, KeyError, ValueError) as error:
            raise AuthenticationFailed(
                f"The provider's answer does not let you in ({type(error).__name__}).", hint=AGAIN
            ) from error
        return dict(claims)

    def _user(self, claims: dict[str, Any]) -> tuple[User, bool]:
        """Give the user of the claims, made or brought up to date, and whether anything about them is new."""
        users, name = self._logins.users, str(claims.get(self._settings.oidc_name_claim) or "")
        role = self._role(claims)
        limits = self._limits(role, claims)
        subject = f"{claims['iss']} {claims['sub']}"
        user = users.find_subject(subject)
        if user is None:
            if not name or users.find(name) is not None:
                raise AuthenticationFailed(
                    f"No user can be made of the claim {self._settings.oidc_name_claim!r}: it is empty, or taken.",
                    hint="An administrator sees who has the name: `shoplake users list`.",
                )
            users.add(name, role, limits, "", subject=subject)
            return users.get(name), True
        if user.disabled_at is not None:
            raise AuthenticationFailed("This user is disabled.", hint="An administrator can enable it.")
        is_changed = (user.role, user.attributes) != (role, {k: tuple(sorted(set(v))) for k, v in limits.items()})
        if is_changed:
            users.set_role(user.name, role, limits)
        return users.get(user.name), is_changed

    def _role(self, claims: dict[str, Any]) -> str:
        groups = _listed(claims.get(self._settings.oidc_groups_claim))
        for group, role in self._settings.oidc_roles.items():
            if group in groups:
                return role
        raise AuthenticationFailed("None of your groups has a role here.", hint="Ask an administrator (oidc_roles).")

    def _limits(self, role: str, claims: dict[str, Any]) -> dict[str, list[str]]:
        """Read what limits the person; a claim that is missing lets nobody in, for it could be a mistake."""
        known = {limit.attribute for limit in load_policy(self._settings).role(role).limits if not limit.values}
        found = {}
        for attribute, claim in self._settings.oidc_limits.items():
            if attribute not in known:
                continue
            values = _listed(claims.get(claim))
            if not values:
                raise AuthenticationFailed(
                    f"The provider does not say which {attribute} you may see.",
                    hint=f"The claim {claim!r} holds values, or {EVERY_VALUE!r} for all.",
                )
            if EVERY_VALUE not in values:
                found[attribute] = values
        return found

    @cached_property
    def _provider(self) -> dict[str, Any]:
        issuer = self._settings.oidc_issuer
        found: dict[str, Any] = self._get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != issuer:
            raise AuthenticationFailed(
                "The provider names another issuer than oidc_issuer.", hint="Correct the setting."
            )
        return found

    def _get(self, address: str) -> Any:  # noqa: ANN401 - any JSON
        import requests

        try:
            answer = requests.get(address, timeout=SECONDS, allow_redirects=False)
            answer.raise_for_status()
            return answer.json()
        except requests.RequestException as error:
            raise UnreachableError(
                f"The provider for single sign-on does not answer ({type(error).__name__}).", hint="Try again later."
            ) from error

    @contextmanager
    def _client(self, redirect_uri: str, state: str | None = None) -> Iterator[Any]:
        import requests
        from authlib.integrations.requests_client import OAuth2Session

        client = OAuth2Session(
            self._settings.oidc_client_id,
            self._secret(),
            scope=SCOPES,
            redirect_uri=redirect_uri,
            state=state,
            code_challenge_method="S256",
        )
        try:
            yield client
        except requests.RequestException as error:
            raise UnreachableError(
                f"The provider for single sign-on does not answer ({type(error).__name__}).", hint="Try again later."
            ) from error
        finally:
            client.close()

    def _secret(self) -> str | None:
        file = self._settings.oidc_client_secret_file
        try:
            return file.read_text(encoding="utf-8").strip() if file else None
        except OSError as error:
            raise SettingsError(
                f"oidc_client_secret_file cannot be read: {error.strerror}.", hint="Correct the setting."
            ) from error


def _listed(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else ([str(value)] if value else [])
