"""No secret that is sent or kept stands in the log, the metrics, an error or the audit log."""

from __future__ import annotations

import base64

from shoplake.access.login import open_logins
from shoplake.audit.reading import Wanted, find
from shoplake.keys.keyring import Keyring
from tests.portal.conftest import As
from tests.portal.serving import Serving, set_password, token_of

PASSWORD = "MARKER-password of somebody"  # noqa: S105 - what must not be told
OTHERS = ["MARKER-in-the-name", "MARKER-in-a-path", "MARKER-in-a-query", "MARKER-in-a-header"]


def kept(served: Serving) -> list[str]:
    """Give the home's own secrets, as text."""
    ring = Keyring.open(served.settings)
    keys = [ring.current(name).secret for name in ring.names()]
    keys.append((served.settings.home / "keys" / "kek.key").read_bytes().strip())
    private = (served.settings.home / "tls" / "server.key").read_text(encoding="ascii").splitlines()[1]
    return [text for key in keys for text in (key.hex(), base64.b64encode(key).decode())] + [private]


def test_no_secret_is_told(served: Serving, as_user: As) -> None:
    set_password(served.settings, "operations", PASSWORD)
    token, answers = token_of(served.settings, "operations"), []
    with served.client() as browser, served.client(token) as program:
        signed = browser.post("/v1/sessions", json={"name": "operations", "password": PASSWORD})
        session, csrf = signed.cookies["__Host-shoplake"], signed.json()["csrf_token"]
        answers += [browser.get("/v1/kpis/restock_frequency"), browser.get("/v1/kpis/revenue"), program.get("/v1/me")]
        answers.append(browser.delete("/v1/sessions/current", headers={"x-csrf-token": csrf[:-1]}))
        wrong = f"{token[:-4]}MARK"
        answers.append(served.anybody.get("/v1/me", headers={"authorization": f"Bearer {wrong}"}))
        answers.append(served.anybody.post("/v1/sessions", json={"name": OTHERS[0], "password": PASSWORD}))
        answers.append(served.anybody.post("/v1/sessions", json={"password": PASSWORD, "code": PASSWORD}))
        answers.append(program.get(f"/v1/{OTHERS[1]}?token={OTHERS[2]}", headers={"x-csrf-token": OTHERS[3]}))
        answers.append(served.anybody.get(f"/v1/sign-on/callback?code={OTHERS[2]}&state={OTHERS[2]}"))
    with open_logins(served.settings) as logins:
        hashed = logins.users.get("operations").password_hash
    told = served.log.read_text(encoding="utf-8") + as_user("data_engineer").get("/metrics").text
    told += "".join(answer.text for answer in answers)
    recorded = repr(find(served.settings, Wanted()))
    for secret in [PASSWORD, token, token.split("_", 2)[2], wrong, session, csrf, hashed, *kept(served)]:
        assert secret not in told
        assert secret not in recorded
    assert not [marker for marker in OTHERS if marker in told]
