"""`kerasft runs delete`."""

from __future__ import annotations

from pathlib import Path

import click

from kerasft.cli.completion import complete_runs
from kerasft.cli.options import SharedOptions
from kerasft.cli.run_argument import find_run, with_runs_dir
from kerasft.errors import SettingError
from kerasft.formatting import counted


@click.command("delete", cls=SharedOptions)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", shell_complete=complete_runs)
@click.option("-y", "--yes", is_flag=True, help="Skip the confirmation")
@with_runs_dir
def delete_command(runs: tuple[str, ...], yes: bool, runs_dir: str) -> None:
    """Delete runs with all their files, after confirmation. Of a linked run only the link.

    Give the full name of a RUN (RECIPE/NAME, or its folder): `latest`, the name of a recipe, and a
    run that is being trained are refused.
    """
    from kerasft.runs import delete_run, load_run
    from kerasft.runs.files import is_locked
    from kerasft.runs.run import FIT_LOCK

    paths = []
    for text in runs:
        path = find_run(text, runs_dir)
        if text == "latest" or path.name != Path(text).name:
            raise SettingError(
                f"{text} currently refers to {path}. Give the full name of the run to delete it."
            )
        if is_locked(path / FIT_LOCK):
            raise SettingError(f"{path} is being trained. Wait for its fit, or stop it first.")
        paths.append(path)
    paths = list({path.absolute(): path for path in paths}.values())
    for path in paths:
        linked = f" (a link: {path.resolve()} is not deleted)" if path.is_symlink() else ""
        click.echo(f"{path}{linked}", err=True)
    if not yes:
        click.confirm(f"Delete {counted(len(paths), 'run')}?", abort=True, err=True)
    for run in [
        load_run(path) for path in paths
    ]:  # all before the first deletion: one may be the target of a link
        delete_run(run)
