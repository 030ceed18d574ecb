"""shoplake: a governed retail lakehouse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shoplake.client import connect

__version__ = "0.1.0"
__all__ = ["__version__", "connect"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - as the language has it
    """Load the client when it is first used, so that `import shoplake` costs nothing."""
    if name == "connect":
        from shoplake.client import connect

        return connect
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
