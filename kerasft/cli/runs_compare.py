"""`kerasft runs compare`."""

from __future__ import annotations

import click

from kerasft.cli.comparison_table import print_comparison
from kerasft.cli.find_runs import find_run, with_runs_dir
from kerasft.cli.options import SharedOptions, wants
from kerasft.cli.output import print_json
from kerasft.errors import SettingError


@click.command("compare", cls=SharedOptions)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("--split", type=click.Choice(["validation", "test"]), default="validation", show_default=True, help="Whose score decides")  # fmt: skip # noqa: E501
@click.option("--plot", type=click.Path(dir_okay=False), help="Write the curves over each other as a PNG")  # fmt: skip # noqa: E501
@with_runs_dir
def compare_command(runs: tuple[str, ...], split: str, plot: str | None, runs_dir: str) -> None:
    """Compare runs: settings that differ, scores, and whether they differ by more than chance.

    Runs that differ in their seed alone count as one, with mean and spread. The first is what
    the others are set against.
    """
    from kerasft import insight
    from kerasft.runs import load_run

    if len(runs) < 2:
        raise SettingError(f"{runs[0]} is one run: name two or more to compare them.")
    chosen = [load_run(find_run(text, runs_dir)) for text in runs]
    compared = insight.compare(chosen, split)
    if plot:
        insight.plot_overlaid(chosen, plot)
    if wants("json"):
        print_json(compared)
    elif wants("quiet"):
        best = insight.best_group(compared)
        click.echo(best["runs"][0])
    else:
        print_comparison(compared)
