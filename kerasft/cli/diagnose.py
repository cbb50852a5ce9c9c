"""`kerasft diagnose`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kerasft.cli.comparison_table import print_comparison
from kerasft.cli.completion import complete_runs
from kerasft.cli.options import SharedOptions, wants
from kerasft.cli.output import print_json, terminal_width
from kerasft.cli.run_argument import find_run, with_runs_dir

if TYPE_CHECKING:
    from kerasft.insight.notebook import Diagnosis


@click.command("diagnose", cls=SharedOptions)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", shell_complete=complete_runs)
@with_runs_dir
def diagnose_command(runs: tuple[str, ...], runs_dir: str) -> None:
    """Diagnose a RUN and suggest what to change next.

    Only the files of the run are read. Findings are ordered by importance, each with its evidence
    and the command to run next. Several runs are also compared: which change helped, and whether
    the difference exceeds the noise.
    """
    from kerasft import insight
    from kerasft.runs import load_run

    chosen = [load_run(find_run(text, runs_dir)) for text in runs]
    found = [insight.diagnose(run) for run in chosen]
    tasks = {run.labels["task"] for run in chosen}
    compared = insight.compare(chosen) if len(chosen) > 1 and len(tasks) == 1 else None
    if wants("json"):
        several = {"runs": found, "comparison": compared}
        print_json(several if len(found) > 1 else found[0])
        return
    for number, diagnosis in enumerate(found):
        if number and not wants("quiet"):
            click.echo()
        if wants("quiet"):
            names = [f["name"] for f in diagnosis["findings"] if f["fault"]]
            click.echo(" ".join(names) or "healthy")
        else:
            _print(diagnosis, several=len(found) > 1)
    if compared and not wants("quiet"):
        click.echo()
        print_comparison(compared)
    elif len(tasks) > 1 and not wants("quiet"):
        click.echo(f"\nNot compared: the runs have different tasks ({', '.join(sorted(tasks))}).")


def _print(diagnosis: Diagnosis, *, several: bool) -> None:
    if several:
        click.echo(f"{diagnosis['run']}")
    click.echo(diagnosis.text(min(92, terminal_width() - 5)))
