"""Shared by the commands on a run: the help on RUN, and the options for columns."""

from __future__ import annotations

from typing import Any

import click

from kerasft.cli.options import SharedOptions


class RunCommand(SharedOptions):
    """A command on a run; its help explains RUN."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.epilog = (
            "RUN is the folder of a run, NAME or RECIPE/NAME below --runs-dir, RECIPE for its "
            "latest run, or `latest`."
        )


def with_columns(*kinds: str) -> Any:
    """Return a decorator that adds the options for the columns of other data."""

    def add(command: Any) -> Any:
        for kind in reversed(kinds):
            text = f"Column of a table with the {kind.replace('-', ' ')}  [default: as in the fit]"
            command = click.option(f"--{kind}-column", metavar="NAME", help=text)(command)
        return command

    return add


def given_columns(columns: dict[str, str | None]) -> dict[str, str]:
    """Return the column options that the command line sets."""
    return {name: column for name, column in columns.items() if column is not None}
