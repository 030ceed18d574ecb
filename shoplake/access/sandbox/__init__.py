"""People's SQL, each query in a throw-away process that can open the files of their own rights and nothing else.

`Sandbox` is the service's side: `releases` says what a person may see, `staging` lays out the files, `server` and
`template` (the service's ends) start processes, `answering` reads what they say. ``inside`` is what runs in them:
`fork_server` starts clean, `session` opens one release for one set of rights behind the `walls`, and `worker` answers
one query and ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shoplake.access.sandbox.question import Answer, Question, RunningQuery
    from shoplake.access.sandbox.sandbox import Sandbox

__all__ = ["Answer", "Question", "RunningQuery", "Sandbox"]


def __getattr__(name: str) -> object:
    """Give what the service uses, loaded by the first who asks: what runs inside must not have it in its memory."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from shoplake.access.sandbox import question, sandbox

    return getattr(sandbox if name == "Sandbox" else question, name)
