"""`kerasft runs`: the group of `list`, `compare` and `delete`."""

from __future__ import annotations

import click

from kerasft.cli.options import HELP_OPTIONS, SharedGroup
from kerasft.cli.runs_compare import compare_command
from kerasft.cli.runs_delete import delete_command
from kerasft.cli.runs_list import list_runs_command


class RunsGroup(SharedGroup):
    """`kerasft runs [RECIPE]` lists; `compare` and `delete` are commands below it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Run `list` if no command is named, with all its options."""
        if not args and ctx.resilient_parsing:  # the shell completes the first word
            return super().parse_args(ctx, args)
        first = next((arg for arg in args if arg in self.commands), None)
        if first is None and not set(HELP_OPTIONS) & set(args):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group("runs", cls=RunsGroup, subcommand_metavar="[RECIPE] | compare RUN... | delete RUN...")
def runs_command() -> None:
    """List, compare and delete runs.

    \b
    kerasft runs                          all runs, newest last
    kerasft runs resnet_digits --sort score --where batch_size=16
    kerasft runs list --help              how to sort and filter
    kerasft runs compare RUN RUN...       settings, scores and noise
    kerasft runs delete RUN...            asks for confirmation
    """  # noqa: D301 (click reads the character as "do not wrap")


for command in (list_runs_command, compare_command, delete_command):
    runs_command.add_command(command)
