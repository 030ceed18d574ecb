"""Addresses and claims of the provider in ``tests.oidc``."""

from __future__ import annotations

import json
from typing import Any

from django.urls import include, path
from oauth2_provider.oauth2_validators import OAuth2Validator

urlpatterns = [path("o/", include("oauth2_provider.urls", namespace="oauth2_provider"))]


class Validator(OAuth2Validator):
    """Adds what companies put into their tokens."""

    oidc_claim_scope = None

    def get_additional_claims(self, request: Any) -> dict[str, Any]:
        """Give email, groups and regions."""
        claims: dict[str, Any] = json.loads(request.user.last_name)
        return {"email": request.user.email, **claims}
