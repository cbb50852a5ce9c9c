"""`kerasft runs compare`."""

from __future__ import annotations

import click

from kerasft.cli.comparison_table import print_comparison
from kerasft.cli.completion import complete_runs
from kerasft.cli.options import SharedOptions, choice_option, wants
from kerasft.cli.output import print_json
from kerasft.cli.run_argument import load_runs, with_runs_dir
from kerasft.errors import SettingError


@click.command("compare", cls=SharedOptions)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", shell_complete=complete_runs)
@choice_option("--split", ("validation", "test"), "validation", "Split whose score is compared")
@click.option("--score", metavar="METRIC", help="Metric that is compared  [default: the one that all runs monitor, but for the loss; else the main one]")  # fmt: skip # noqa: E501
@click.option("--plot", type=click.Path(dir_okay=False), help="Write the overlaid curves to this PNG file")  # fmt: skip # noqa: E501
@with_runs_dir
def compare_command(
    runs: tuple[str, ...], split: str, score: str | None, plot: str | None, runs_dir: str
) -> None:
    """Compare runs: settings that differ, scores, and noise.

    Runs that differ only in their seed are grouped, with mean and standard deviation. The first run
    is the reference.
    """
    from kerasft import insight

    chosen = load_runs(runs, runs_dir)
    if len(chosen) < 2:
        raise SettingError(f"{runs[0]} is the only run. Name two or more to compare.")
    compared = insight.compare(chosen, split, score)
    if plot:
        insight.plot_overlaid(chosen, plot, compared["score"])
    if wants("json"):
        print_json(compared)
    elif wants("quiet"):
        best = insight.best_group(compared)
        click.echo(best["runs"][0])
    else:
        print_comparison(compared)
