"""`kerasft average`, and the lines about an average."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kerasft.cli.completion import complete_runs
from kerasft.cli.options import SharedOptions, wants
from kerasft.cli.output import print_facts, print_json, print_table
from kerasft.cli.run_argument import find_run, runs_dir_option
from kerasft.cli.run_summary import describe, report, shown_path
from kerasft.cli.startup import working
from kerasft.errors import SettingError


def describe_average(run: Any) -> dict[str, Any]:
    """Return the JSON document of an average."""
    return {**describe(run), "soup": run.manifest["soup"]}


def print_average(run: Any) -> None:
    """Print which fits are in the average, then its scores."""
    rows = [
        (shown_path(one["run"]), one["validation"], one["average"], "yes" if one["taken"] else "no")
        for one in run.manifest["soup"]
    ]
    metric = run.manifest["soup"][0]["metric"]
    print_table(("run", f"validation {metric}", "average with it", "taken"), rows)
    print_facts(report(run))


def runs_to_average(given: tuple[str, ...], runs_dir: str) -> list[Any]:
    """Return the runs that arguments name: one search, or runs.

    Raises:
        SettingError: A single argument is not a search.
    """
    from kerasft.runs import load_run
    from kerasft.tuning.journal import JOURNAL
    from kerasft.tuning.results import load_search

    if len(given) == 1:
        if not (Path(given[0]) / JOURNAL).is_file():
            raise SettingError(
                f"{given[0]} is not a search folder. Give a search folder, or at least two runs."
            )
        return load_search(given[0]).best_runs
    return [load_run(find_run(text, runs_dir)) for text in given]


@click.command("average", cls=SharedOptions, params=[runs_dir_option()])
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", shell_complete=complete_runs)
@click.option("--name", help="Name of the new run's folder  [default: timestamp]")
def average_command(runs: tuple[str, ...], name: str | None, runs_dir: str) -> None:
    """Average the weights of several RUNs of one recipe into a new run.

    A greedy soup: from the best run on, each stays in the average if the validation score is not
    worse with it. The runs need the same splits, as with one --split-seed. Instead of runs, the
    folder of a search gives its best trials, at most three.

    \b
    kerasft average RUN RUN RUN
    kerasft average searches/RECIPE/NAME
    """  # noqa: D301 (click reads the character as "do not wrap")
    found = runs_to_average(runs, runs_dir)
    with working():
        import kerasft

        run = kerasft.average(found, runs_dir=runs_dir, name=name, progress=not wants("quiet"))
    if wants("json"):
        print_json(describe_average(run))
    elif wants("quiet"):
        click.echo(run.path)
    else:
        print_average(run)
