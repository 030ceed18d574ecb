"""What a server refuses, and a server that does not answer, as the errors that shoplake raises everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoplake import errors
from shoplake.errors import ShoplakeError, UnreachableError

if TYPE_CHECKING:
    from requests import Response


def refusal(answer: Response) -> ShoplakeError:
    """Give the server's refusal as the class of its code."""
    try:
        said = answer.json()["error"]
        code, message, hint = said["code"], said["message"], said.get("hint", "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return UnreachableError(
            f"The server answered {answer.status_code}, and not as shoplake does.", hint="Check the address."
        )
    known = {one.code: one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, ShoplakeError)}
    made = known.get(code, ShoplakeError)(str(message), hint=str(hint))
    if type(made) is ShoplakeError:
        made.code = str(code)
    return made


def lost(error: Exception, url: str) -> UnreachableError:
    """Say why a server cannot be reached, and what to do."""
    import requests

    if isinstance(error, requests.exceptions.SSLError):
        return UnreachableError(
            f"The certificate of {url} is not one of a known authority, or not for this name.",
            hint="Name the authority's file by ca, --ca or SHOPLAKE_CA; it is tls/ca.pem in the server's home.",
        )
    if isinstance(error, requests.exceptions.ReadTimeout):
        return UnreachableError(f"{url} did not answer in time.", hint="Ask for less, or raise the timeout.")
    return UnreachableError(f"{url} does not answer ({type(error).__name__}).", hint="Is the server running there?")
