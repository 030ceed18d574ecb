"""A server, asked with one person's token."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from shoplake.client.address import authority, checked, is_here
from shoplake.client.refusal import lost, refusal
from shoplake.client.result import Page, Result
from shoplake.errors import AuthenticationFailed, InputError, UnreachableError

if TYPE_CHECKING:
    from requests import Response

CONNECT_SECONDS, ANSWER_SECONDS = 10, 600
FIRST_REFUSAL = 300
ARROW, JSON = "application/vnd.apache.arrow.stream", "application/json"


def connect(
    url: str,
    token: str | None = None,
    *,
    ca: str | Path | None = None,
    timeout: float = ANSWER_SECONDS,
) -> Client:
    """Give a client of a server; it keeps its connection open from one question to the next.

    Args:
        url: of the server, ``https://host:port``.
        token: a personal access token; by default what the variable SHOPLAKE_TOKEN holds.
        ca: file of the authority that signed the server's certificate; by default what SHOPLAKE_CA names,
            for a server on this machine the authority of the home here, else the authorities that the system trusts.
        timeout: most seconds to wait for the server to say something.

    Raises:
        InputError: no URL of a server, or ``ca`` is no file.
        AuthenticationFailed: there is no token.

    """
    given = token or os.environ.get("SHOPLAKE_TOKEN", "")
    if not given:
        raise AuthenticationFailed("There is no token.", hint="Give one, or set SHOPLAKE_TOKEN; `shoplake tokens add`.")
    return Client(checked(url), given, authority(url, ca), timeout)


class Client:
    """A server, asked with one person's token."""

    def __init__(self, url: str, token: str, authority: str | None, timeout: float) -> None:
        import requests

        self._url, self._timeout = url, timeout
        self._session = requests.Session()
        if is_here(url):
            self._session.trust_env = False  # no proxy stands between a machine and itself
        self._session.verify = authority or True
        self._session.auth = _Bearer(token)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def sql(
        self,
        statement: str,
        parameters: Sequence[object] | Mapping[str, object] = (),
        *,
        database: str | None = None,
        release: str | None = None,
        limit: int | None = None,
        seconds: float | None = None,
    ) -> Result:
        """Ask one SELECT; the rows come as the server sends them.

        Args:
            statement: DuckDB's SQL; tables are ``<database>.<table>``.
            parameters: values of its ``?``, or of its ``$name``.
            database: where tables named without one are.
            release: id of a kept release instead of the current one.
            limit: most rows to give.
            seconds: most seconds that it may run.

        Raises:
            ShoplakeError: what the server refuses, as the class of its code: QueryError, AccessDenied, NotFoundError, …
            UnreachableError: the server does not answer, or is not the one that its certificate should name.

        """
        asked = _question(statement, parameters, database, release, limit, seconds)
        return Result(self._post(asked | {"format": "arrow"}, ARROW))

    def page(
        self,
        statement: str,
        parameters: Sequence[object] | Mapping[str, object] = (),
        *,
        database: str | None = None,
        release: str | None = None,
        limit: int | None = None,
        seconds: float | None = None,
    ) -> Page:
        """Ask one SELECT for a page of rows to look at: all that roles without the export ``sql`` may have.

        Raises:
            ShoplakeError: as `sql`.

        """
        asked = _question(statement, parameters, database, release, limit, seconds)
        with self._post(asked | {"format": "json"}, JSON) as answer:
            return Page(_json(answer))

    def kpi(
        self,
        name: str,
        *,
        from_: str | dt.date | None = None,
        to: str | dt.date | None = None,
        by: Iterable[str] = (),
        where: Mapping[str, str | Sequence[str]] | None = None,
        definition: str | None = None,
        release: str | None = None,
    ) -> dict[str, Any]:
        """Answer one KPI, as ``shoplake kpi --format json`` does.

        Raises:
            ShoplakeError: as `sql`.

        """
        pairs = [(name, values) for name, values in (where or {}).items()]
        filters = [f"{name}={value}" for name, values in pairs for value in _listed(values)]
        asked = {"from": _text(from_), "to": _text(to), "by": list(by), "where": filters}
        asked |= {"definition": definition, "release": release}
        answer: dict[str, Any] = self._get(f"/v1/kpis/{quote(name, safe='')}", asked)
        return answer

    def kpis(
        self,
        *,
        from_: str | dt.date | None = None,
        to: str | dt.date | None = None,
        team: str | None = None,
        release: str | None = None,
    ) -> list[dict[str, Any]]:
        """Answer every KPI that the person may see, as ``shoplake kpis --format json`` does.

        Raises:
            ShoplakeError: as `sql`.

        """
        asked = {"from": _text(from_), "to": _text(to), "team": team, "release": release}
        answers: list[dict[str, Any]] = self._get("/v1/kpis", asked)
        return answers

    def queries(self) -> list[dict[str, Any]]:
        """List the queries that are running: one's own, and those of others for who may stop them."""
        found: list[dict[str, Any]] = self._get("/v1/queries", {})
        return found

    def cancel(self, query_id: str) -> None:
        """Stop a running query.

        Raises:
            NotFoundError: none of that id is running, or it is another person's.

        """
        self._send("DELETE", f"/v1/queries/{quote(query_id, safe='')}", headers={"Accept": JSON}).close()

    def _post(self, asked: dict[str, Any], accept: str) -> Response:
        return self._send("POST", "/v1/sql", json=asked, headers={"Accept": accept})

    def _get(self, path: str, asked: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
        given = {name: value for name, value in asked.items() if value not in (None, [])}
        with self._send("GET", path, params=given, headers={"Accept": JSON}) as answer:
            return _json(answer)

    def _send(self, method: str, path: str, **more: Any) -> Response:  # noqa: ANN401 - as requests has it
        import requests

        try:
            answer = self._session.request(
                method,
                self._url + path,
                stream=True,
                allow_redirects=False,
                timeout=(CONNECT_SECONDS, self._timeout),
                **more,
            )
            if answer.status_code >= FIRST_REFUSAL:
                with answer:
                    raise refusal(answer)
        except requests.RequestException as error:
            raise lost(error, self._url) from error
        return answer


class _Bearer:
    """Signs requests; written so that no traceback or log shows the token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: Any) -> Any:  # noqa: ANN401 - as requests has it
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _question(
    statement: str,
    parameters: Sequence[object] | Mapping[str, object],
    database: str | None,
    release: str | None,
    limit: int | None,
    seconds: float | None,
) -> dict[str, Any]:
    given: Any = (
        {name: _parameter(value) for name, value in parameters.items()}
        if isinstance(parameters, Mapping)
        else [_parameter(value) for value in parameters]
    )
    asked = {"sql": statement, "params": given, "database": database, "release": release}
    asked |= {"limit": limit, "seconds": seconds}
    return {name: value for name, value in asked.items() if value not in (None, [], {})}


def _parameter(value: object) -> object:
    """Give a parameter as JSON: exact numbers and times as text, which the query casts as it needs."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Decimal | dt.date | dt.time):
        return str(value)
    raise InputError(
        f"A parameter cannot be a {type(value).__name__}.", hint="Give text, a number, a date or None; cast it in SQL."
    )


def _json(answer: Response) -> Any:  # noqa: ANN401 - any JSON
    import requests

    try:
        return answer.json()
    except (ValueError, requests.RequestException) as error:
        raise UnreachableError("The server's answer broke off.", hint="Ask again.") from error


def _text(day: str | dt.date | None) -> str | None:
    return str(day) if day is not None else None


def _listed(values: str | Sequence[str]) -> Sequence[str]:
    return (values,) if isinstance(values, str) else values
