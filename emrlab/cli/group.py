"""A click group that imports a command only when it runs, and turns errors for people into one line."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from ..errors import LabError


class LazyGroup(click.Group):
    """``commands_at``: name → ``module:attribute``; ``help_of``: name → its line in the group's help.

    Keeps ``emrlab --help`` and ``emrlab env`` fast: no command drags another one's libraries in.
    """

    def __init__(self, *args: Any, commands_at: dict[str, str], help_of: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.commands_at = commands_at
        self.help_of = help_of

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands_at)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands_at:
            return None
        module, attribute = self.commands_at[cmd_name].split(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self.help_of.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LabError as error:
            click.secho(str(error), fg="red", err=True)
            ctx.exit(1)
