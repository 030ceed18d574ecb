"""The process that all sandboxed ones are forked from: ``python -m shoplake.access.sandbox.inside.fork_server HANDLE``.

It starts as a program of its own, so that nothing of the service is in its memory; it never sees a key or a query. It
has the engine ready, and forks a session for each socket that comes over its own. It ends with the service.
"""

from __future__ import annotations

from shoplake.access.sandbox.inside.memory import leave_out_modules

if __name__ == "__main__":
    leave_out_modules()
    from shoplake.access.sandbox.inside.forking import main

    main()
