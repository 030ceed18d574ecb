"""Commands that are on record as a whole: before they begin, and with what came of them."""

from __future__ import annotations

from typing import Any

import click

PRIVATE = frozenset(["token", "style"])
"""Parameters that no record holds: a token may be the secret itself."""


class AuditedCommand(click.Command):
    """A command of `AuditedGroup`."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as click has it
        """Run the command between its two records."""
        from shoplake.audit.recording import changing
        from shoplake.settings import load_settings

        group = ctx.parent.info_name if ctx.parent else None
        asked = {name: value for name, value in ctx.params.items() if name not in PRIVATE and value not in (None, ())}
        with changing(load_settings(ctx.obj), f"{group} {ctx.info_name}", asked=asked):
            return super().invoke(ctx)


class AuditedGroup(click.Group):
    """A group whose commands say who may do what, or change it."""

    command_class = AuditedCommand
