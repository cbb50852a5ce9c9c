"""`kerasft benchmark`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from kerasft.cli.completion import complete_runs
from kerasft.cli.options import choice_option, wants
from kerasft.cli.output import print_json, print_table, size
from kerasft.cli.run_argument import find_model, with_runs_dir
from kerasft.cli.run_options import RunCommand, given_columns, with_columns
from kerasft.cli.startup import working
from kerasft.errors import ProofError
from kerasft.formatting import counted, number, option_name, run_name


def _sizes(context: click.Context, option: click.Parameter, text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) for part in parts):
        raise click.BadParameter(f"{text!r} must be whole numbers above 0, such as 1,32.")
    return [int(part) for part in parts]


@click.command("benchmark", cls=RunCommand)
@click.argument(
    "models", metavar="RUN|DIR...", nargs=-1, required=True, shell_complete=complete_runs
)
@choice_option("--split", ("validation", "test"), "test", "Split of the reference to measure on")
@click.option(
    "--dataset", help="Other data with the same classes: its test split, or all of it without one"
)
@click.option(
    "--batch-sizes",
    default="1,32",
    show_default=True,
    metavar="N,...",
    callback=_sizes,
    help="Examples per call; throughput is that of the last",
)
@with_columns(label=True)
@with_runs_dir
def benchmark_command(
    models: tuple[str, ...],
    split: str,
    dataset: str | None,
    batch_sizes: list[int],
    runs_dir: str,
    **columns: str | None,
) -> None:
    """Measure size, latency, score and agreement of runs and exported models.

    DIR is the folder of an exported model. The reference is the first RUN given, else the run that
    the first exported model names, else the first model. Every other model has a verdict from the
    95% interval of its difference on the same examples: equivalent, worse, better or unclear, or
    that its answers differ by more than its proof allows. Exit code 4 if a model is worse or its
    answers differ.
    """
    given = given_columns(columns)
    if given and not dataset:
        option = option_name(next(iter(given)))
        raise click.UsageError(f"{option} names a column of other data: give it with --dataset.")
    paths = [find_model(text, runs_dir) for text in models]
    with working():
        import kerasft
        from kerasft.serving.verdict import FAILED

        found = kerasft.benchmark(
            paths,
            dataset=dataset,
            split=split,
            columns=given,
            batch_sizes=batch_sizes,
            runs_dir=runs_dir,
        )
    failed = [row for row in found["models"] if (row["verdict"] or {}).get("verdict") in FAILED]
    if wants("json"):
        print_json({**({"dataset": dataset} if dataset else {"split": split}), **found})
    elif wants("quiet"):
        for row in found["models"]:
            click.echo(row["verdict"]["text"] if row["verdict"] else "reference")
    else:
        where = dataset or f"the {split} split of {found['reference']}"
        click.echo(f"{counted(found['examples'], 'example')} of {where}\n")
        _print_rows(found, batch_sizes)
    if failed:
        click.get_current_context().exit(ProofError.exit_code)


def _print_rows(found: Mapping[str, Any], batch_sizes: list[int]) -> None:
    times = [f"ms for {count}: p50/p99" for count in batch_sizes]
    headings = ["model", "format", "size", *times, "per s", found["score"], "agreement", "verdict"]
    rows = []
    for row in found["models"]:
        each = [row["latency"][str(count)] for count in batch_sizes]
        low, high = row["confidence_interval"]
        rows.append(
            [
                run_name(row["model"]),
                row["format"],
                size(row["bytes"]),
                *(f"{number(one['p50'])}/{number(one['p99'])}" for one in each),
                round(each[-1]["per_second"]),
                f"{number(row['score'])} ({number(low)} to {number(high)})",
                _agreement(row["agreement"]),
                row["verdict"]["text"] if row["verdict"] else "reference",
            ]
        )
    print_table(headings, rows)


def _agreement(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    difference = f"±{found['largest_difference']:.1g}"
    return difference if found["equal"] is None else f"{100 * found['equal']:.4g}%, {difference}"
