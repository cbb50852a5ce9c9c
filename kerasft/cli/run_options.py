"""Shared by the commands on a run: the help on RUN, and the options for columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from kerasft.cli.options import Decorated, SharedOptions
from kerasft.formatting import option_name
from kerasft.modalities import known_settings


class RunCommand(SharedOptions):
    """A command on a run; its help explains RUN."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.epilog = (
            "RUN is the folder of a run, its --name (or RECIPE/NAME) below --runs-dir, its recipe "
            "(the latest run), or `latest`."
        )


def with_columns(*, label: bool) -> Callable[[Decorated], Decorated]:
    """Return a decorator that adds the options for the columns of other data.

    Args:
        label: Whether the label is read too.
    """
    columns = [item for item in known_settings().values() if item.role == "column"]

    def add(command: Decorated) -> Decorated:
        for item in reversed(columns):
            if label or item.part != "label":
                kind = item.name.removesuffix("_column").replace("_", " ")
                text = f"Column of a table with the {kind}  [default: as in the fit]"
                command = click.option(option_name(item.name), metavar="NAME", help=text)(command)
        return command

    return add


def given_columns(columns: dict[str, str | None]) -> dict[str, str]:
    """Return the column options that the command line sets."""
    return {name: column for name, column in columns.items() if column is not None}
