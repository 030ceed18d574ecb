"""Commands that are on record as a whole: before they begin, and with what came of them."""

from __future__ import annotations

import re
from typing import Any

import click

TOKEN_ID = re.compile("[0-9a-f]{12}")
"""A token is on record by its id only: somebody may have given the secret itself."""


class AuditedCommand(click.Command):
    """A command of `AuditedGroup`."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as click has it
        """Run the command between its two records."""
        from shoplake.audit.recording import changing
        from shoplake.settings import load_settings

        group = ctx.parent.info_name if ctx.parent else None
        asked = {name: value for name, value in ctx.params.items() if name != "style" and value not in (None, ())}
        if not TOKEN_ID.fullmatch(asked.get("token", "")):
            asked.pop("token", None)
        with changing(load_settings(ctx.obj), f"{group} {ctx.info_name}", asked=asked):
            return super().invoke(ctx)


class AuditedGroup(click.Group):
    """A group whose commands say who may do what, or change it."""

    command_class = AuditedCommand
