"""What can go wrong, said so that a person can act: what broke, what was tried, what to do next."""

from __future__ import annotations


class ShoplakeError(Exception):
    """A failure with a stable code, a message for people and a hint of what to do next.

    The same three parts make the JSON error shape ``{"error": {"code", "message", "hint"}}``.
    """

    code = "error"
    exit_code = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        """Say what broke in ``message`` and what to do next in ``hint``."""
        super().__init__(message)
        self.message = message
        self.hint = hint

    def as_dict(self) -> dict[str, dict[str, str]]:
        """Give the JSON error shape."""
        return {"error": {"code": self.code, "message": self.message, "hint": self.hint}}


class SettingsError(ShoplakeError):
    """A setting is unknown or has a value that cannot be used."""

    code = "settings"


class HomeError(ShoplakeError):
    """The home folder is missing, incomplete or not writable."""

    code = "home"


class LockedError(ShoplakeError):
    """Another process is changing the same home."""

    code = "locked"
    exit_code = 1


class KeyAccessError(ShoplakeError):
    """A key is missing, unreadable or wrong; nothing is read or written without it."""

    code = "key"


class ContractError(ShoplakeError):
    """A data contract cannot be read or contradicts itself."""

    code = "contract"


class InputError(ShoplakeError):
    """What the user gave (a path, a name, a date) cannot be used."""

    code = "input"


class NotFoundError(ShoplakeError):
    """A named thing does not exist."""

    code = "not_found"


class PositionMoved(ShoplakeError):  # noqa: N818 - what another reader did
    """A part of a stream's range has landed already, by another reader of it."""

    code = "position_moved"
    exit_code = 1


class EventsLanded(ShoplakeError):  # noqa: N818 - what another reader did
    """Events that a log holds twice have landed already, by another reader of it."""

    code = "events_landed"
    exit_code = 1


class UnreachableError(ShoplakeError):
    """A system that data comes from does not answer, or does not let us in."""

    code = "unreachable"
    exit_code = 1


class PublicationError(ShoplakeError):
    """A database for BI tools cannot be reached, or does not take a release; it is as it was."""

    code = "publication"
    exit_code = 1


class QueryError(ShoplakeError):
    """A query is not allowed or does not run."""

    code = "query"


class BuildError(ShoplakeError):
    """A model failed to build; the last release stays."""

    code = "build"
    exit_code = 1


class AuditFailed(ShoplakeError):  # noqa: N818 - an audit that fails is the event's name in the field
    """An audit test failed; nothing was published and the last release stays."""

    code = "audit"
    exit_code = 1


class AuditLogError(ShoplakeError):
    """The audit log cannot be written or read; what it would have recorded is not done."""

    code = "audit_log"


class PolicyError(ShoplakeError):
    """The policy cannot be read, or names what does not exist."""

    code = "policy"


class AccessDenied(ShoplakeError):  # noqa: N818 - what happened, as the field says it
    """The policy does not allow what was asked."""

    code = "denied"
    exit_code = 1


class AuthenticationFailed(ShoplakeError):  # noqa: N818 - as AccessDenied
    """Somebody could not show who they are."""

    code = "authentication"
    exit_code = 1


class ThrottledError(AuthenticationFailed):
    """There were too many failed attempts to sign in."""

    code = "throttled"

    def __init__(self, message: str, *, hint: str = "", retry_after: int = 1) -> None:
        """Say that the next attempt may be made in ``retry_after`` seconds."""
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class ForeignRequestError(ShoplakeError):
    """A browser sent a request that the service's own pages did not make."""

    code = "csrf"
    exit_code = 1


class BusyError(ShoplakeError):
    """Too much is asked at once."""

    code = "busy"
    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", retry_after: int = 1) -> None:
        """Say that the same may be asked again in ``retry_after`` seconds."""
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class QueryTimeout(ShoplakeError):  # noqa: N818 - what happened, as the field says it
    """A query took longer than it may."""

    code = "query_timeout"
    exit_code = 1


class QueryCancelled(ShoplakeError):  # noqa: N818 - as QueryTimeout
    """Somebody ended a query."""

    code = "query_cancelled"
    exit_code = 1


class TooManyQueries(ShoplakeError):  # noqa: N818 - as QueryTimeout
    """So many queries run that another did not get its turn in time."""

    code = "too_many_queries"
    exit_code = 1


class WorkerLost(ShoplakeError):  # noqa: N818 - as QueryTimeout
    """The process that answered a query ended before it had."""

    code = "worker_lost"
    exit_code = 1
