"""`kerasft runs delete`."""

from __future__ import annotations

from pathlib import Path

import click

from kerasft.cli.find_runs import find_run, with_runs_dir
from kerasft.cli.options import SharedOptions
from kerasft.errors import SettingError


@click.command("delete", cls=SharedOptions)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("-y", "--yes", is_flag=True, help="Do not ask")
@with_runs_dir
def delete_command(runs: tuple[str, ...], yes: bool, runs_dir: str) -> None:
    """Delete runs, all their files with them; asks first. A link to a run is deleted alone.

    A RUN must be named in full (RECIPE/NAME, or its folder): `latest` and a recipe's name are
    not taken.
    """
    from kerasft.runs import delete_run, load_run

    paths = []
    for text in runs:
        path = find_run(text, runs_dir)
        if text == "latest" or path.name != Path(text).name:
            raise SettingError(f"{text} means {path} today: name that run in full to delete it.")
        paths.append(path)
    for path in paths:
        linked = f" (a link: {path.resolve()} stays)" if path.is_symlink() else ""
        click.echo(f"{path}{linked}", err=True)
    if not yes:
        click.confirm(f"Delete {len(paths)} run{'s' * (len(paths) != 1)}?", abort=True, err=True)
    for run in [load_run(path) for path in paths]:  # before one is gone that a link leads to
        delete_run(run)
