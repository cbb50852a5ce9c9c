"""`kerasft evaluate`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from kerasft.cli.completion import complete_runs
from kerasft.cli.options import choice_option, wants
from kerasft.cli.output import print_json
from kerasft.cli.run_argument import find_model, recorded_labels, with_runs_dir
from kerasft.cli.run_options import RunCommand, given_columns, with_columns
from kerasft.cli.score_tables import main_score, print_scores
from kerasft.cli.startup import working
from kerasft.formatting import option_name


@click.command("evaluate", cls=RunCommand)
@click.argument("run", shell_complete=complete_runs)
@choice_option("--split", ("validation", "test"), "test", "Split of the run to evaluate")
@click.option(
    "--dataset", help="Other data with the same classes: its test split, or all of it without one"
)
@with_columns(label=True)
@with_runs_dir
def evaluate_command(
    run: str, split: str, dataset: str | None, runs_dir: str, **columns: str | None
) -> None:
    """Evaluate a RUN on its test split or on other data.

    RUN can be the folder of an exported model, or its .onnx or .tflite file: its graph then
    answers, and it needs --dataset.

    The main metric has a 95% confidence interval, except for several labels. It covers the choice
    of the examples, not that of the seed.
    """
    given = given_columns(columns)
    if given and not dataset:
        option = option_name(next(iter(given)))
        raise click.UsageError(f"{option} names a column of other data: give it with --dataset.")
    path = find_model(run, runs_dir)
    with working():
        import kerasft

        metrics = kerasft.evaluate(path, dataset=dataset, split=split, columns=given)
        task = recorded_labels(path)["task"]
        notes = [_UNKNOWN] if dataset else []
        if "seen" in metrics:
            notes = _seen_notes(kerasft.load_run(path), metrics)
    for note in notes:
        click.echo(f"note   {note}", err=True)
    if wants("json"):
        where = {"dataset": dataset} if dataset else {"split": split}
        print_json({"run": path, **where, "metrics": metrics})
    elif wants("quiet"):
        click.echo(f"{main_score(task, metrics):.6g}")
    else:
        click.echo(f"{path} on {dataset or f'its {split} split'}\n")
        print_scores(task, metrics)


_UNKNOWN = "How many of these examples it was trained on is not recorded."


def _seen_notes(run: Any, metrics: Mapping[str, Any]) -> list[str]:
    """Return notes about evaluated examples that the run has seen, one sentence each."""
    seen = metrics["seen"]
    meanings = {
        "train": "were trained on: the scores measure memorization",
        "validation": "chose the best epoch: the scores are optimistic",
    }
    return [
        f"{seen[name]:,} of {metrics['examples']:,} {run.modality.name or 'examples'} {meaning}."
        for name, meaning in meanings.items()
        if seen.get(name)
    ]
