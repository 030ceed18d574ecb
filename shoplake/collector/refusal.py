"""Why a request is not taken, in the one error shape of the product."""

from __future__ import annotations

import json


class Refusal(Exception):  # noqa: N818 - what happens to the request
    """The request is not taken; nothing of it was stored."""

    def __init__(self, status: int, code: str, message: str, hint: str = "", *, retry_after: int | None = None) -> None:
        """Refuse with an HTTP status; ``retry_after`` (seconds) says when the same request may be sent again."""
        super().__init__(message)
        self.status, self.code, self.message, self.hint, self.retry_after = status, code, message, hint, retry_after

    def body(self) -> bytes:
        """Give ``{"error": {"code", "message", "hint"}}``."""
        return json.dumps({"error": {"code": self.code, "message": self.message, "hint": self.hint}}).encode()


def overloaded(message: str, *, retry_after: int = 2) -> Refusal:
    """Give a refusal of a request that may succeed later."""
    return Refusal(
        503,
        "unavailable",
        message,
        "Nothing of this request was acknowledged: send it again after Retry-After seconds.",
        retry_after=retry_after,
    )
