"""Signing in at a real provider, in a process of its own: who becomes which user, and what is not believed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shoplake.access.login import Logins, hash_password, open_logins
from shoplake.access.single_sign_on import SingleSignOn
from shoplake.errors import AuthenticationFailed, SettingsError, UnreachableError
from shoplake.settings import Settings
from tests.oidc import CALLBACK, CLIENT, SECRET, come_back, started_provider


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running provider."""
    with started_provider(tmp_path_factory.mktemp("provider")) as found:
        yield found


@pytest.fixture
def sso(make_home: Callable[..., Settings], issuer: str, tmp_path: Path) -> Settings:
    """A home that trusts the provider."""
    secret = tmp_path / "client-secret"
    secret.write_text(f"{SECRET}\n", encoding="utf-8")
    return make_home(
        oidc_issuer=issuer,
        oidc_client_id=CLIENT,
        oidc_client_secret_file=secret,
        oidc_roles={"shop-finance": "finance", "shop-sales": "sales"},
        oidc_limits={"region": "regions"},
    )


def sign_in(settings: Settings, logins: Logins, name: str, **changed: Any) -> Any:
    provider = SingleSignOn(settings, logins)
    begun = provider.begin(CALLBACK)
    return provider.finish(replace(begun, **changed), come_back(begun.address, name))


def refused(settings: Settings, logins: Logins, name: str, **changed: Any) -> str:
    with pytest.raises(AuthenticationFailed) as caught:
        sign_in(settings, logins, name, **changed)
    return caught.value.message


def test_groups_become_a_role_and_a_claim_limits_the_person(sso: Settings) -> None:
    with open_logins(sso) as logins:
        nora = sign_in(sso, logins, "nora")
        assert (nora.identity.name, nora.identity.role) == ("nora@shop.example", "sales")
        assert nora.identity.attributes == {"region": ("North",)}
        assert logins.of_session(nora.token) == nora.identity
        boss = sign_in(sso, logins, "max")
        assert (boss.identity.role, boss.identity.attributes) == ("finance", {})

        moved = sso.model_copy(update={"oidc_roles": {"shop-sales": "operations"}})
        again = sign_in(moved, logins, "nora")
        assert (again.identity.name, again.identity.role) == ("nora@shop.example", "operations")
        assert logins.of_session(nora.token).role == "operations"
        assert [user.name for user in logins.users.list()] == ["max@shop.example", "nora@shop.example"]
        for word in ("", "unset", "a word for the provider"):
            with pytest.raises(AuthenticationFailed):
                logins.sign_in("nora@shop.example", word)


def test_an_answer_that_this_browser_did_not_ask_for_is_not_believed(sso: Settings) -> None:
    with open_logins(sso) as logins:
        assert "not begun in this browser" in refused(sso, logins, "nora", state="another")
        assert "does not let you in" in refused(sso, logins, "nora", verifier="v" * 48), "the provider checks PKCE"
        assert "does not let you in" in refused(sso, logins, "nora", nonce="another")
        provider = SingleSignOn(sso, logins)
        begun = provider.begin(CALLBACK)
        with pytest.raises(AuthenticationFailed):
            provider.finish(begun, f"{CALLBACK}?error=access_denied&state={begun.state}")
        used = come_back(begun.address, "nora")
        provider.finish(begun, used)
        with pytest.raises(AuthenticationFailed):
            provider.finish(begun, used)
        stranger = sso.model_copy(update={"oidc_client_secret_file": None})
        assert "does not let you in" in refused(stranger, logins, "nora")


def test_nobody_gets_in_without_a_role_or_a_limit_that_is_asked_for(sso: Settings) -> None:
    with open_logins(sso) as logins:
        assert "None of your groups" in refused(sso, logins, "lost")
        assert "does not say which region" in refused(sso, logins, "blank")
        assert logins.users.list() == []


def test_a_name_stays_with_whom_it_belongs_to(sso: Settings) -> None:
    with open_logins(sso) as logins:
        logins.users.add("nora@shop.example", "admin", {}, hash_password("a few words in a row"))
        assert "it is empty, or taken" in refused(sso, logins, "nora")
        sign_in(sso, logins, "max")
        logins.users.set_disabled("max@shop.example", is_disabled=True)
        assert "disabled" in refused(sso, logins, "max")


def test_a_provider_is_spoken_to_over_tls_and_has_to_answer(sso: Settings) -> None:
    with open_logins(sso) as logins:
        for changed in ({"oidc_issuer": "http://sso.example"}, {"oidc_issuer": ""}, {"oidc_client_id": ""}):
            with pytest.raises(SettingsError):
                SingleSignOn(sso.model_copy(update=changed), logins)
        with pytest.raises(UnreachableError):
            SingleSignOn(sso.model_copy(update={"oidc_issuer": "http://127.0.0.1:1/o"}), logins).begin(CALLBACK)
        with pytest.raises(AuthenticationFailed, match="another issuer"):
            SingleSignOn(sso.model_copy(update={"oidc_issuer": f"{sso.oidc_issuer}/"}), logins).begin(CALLBACK)
