"""`kerasft calibrate`."""

from __future__ import annotations

import click

from kerasft.calibration.summary import calibration_lines
from kerasft.cli.completion import complete_runs
from kerasft.cli.options import wants
from kerasft.cli.output import print_json, print_table
from kerasft.cli.run_argument import find_run, with_runs_dir
from kerasft.cli.run_options import RunCommand
from kerasft.cli.startup import working
from kerasft.formatting import counted

_SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)


@click.command("calibrate", cls=RunCommand)
@click.argument("run", shell_complete=complete_runs)
@click.option(
    "--coverage",
    type=_SHARE,
    default=0.9,
    show_default=True,
    help="Share of examples whose truth is in the prediction set or interval",
)
@click.option(
    "--known-coverage",
    type=_SHARE,
    default=0.95,
    show_default=True,
    help="Share of the validation examples that are known",
)
@click.option(
    "--max-error",
    type=_SHARE,
    help="Largest estimated share of errors among accepted predictions  [default: accept all]",
)
@click.option(
    "--min-precision",
    type=_SHARE,
    help="Least precision of every label, for several labels  [default: maximize F1]",
)
@click.option(
    "--min-recall",
    type=_SHARE,
    help="Least recall of every label, for several labels  [default: maximize F1]",
)
@with_runs_dir
def calibrate_command(  # noqa: PLR0913 (one for each option)
    run: str,
    coverage: float,
    known_coverage: float,
    max_error: float | None,
    min_precision: float | None,
    min_recall: float | None,
    runs_dir: str,
) -> None:
    """Refit the calibration of a RUN without training.

    Probabilities, thresholds, prediction sets or intervals, and the score of known inputs are
    fitted on the validation split. A fit does this with the defaults; `predict`, `evaluate` and
    `export` use the last calibration.
    """
    path = find_run(run, runs_dir)
    with working():
        import kerasft

        record = kerasft.calibrate(
            path,
            coverage=coverage,
            known_coverage=known_coverage,
            max_error=max_error,
            min_precision=min_precision,
            min_recall=min_recall,
        )
    for note in record["notes"]:
        click.echo(f"note   {note}", err=True)
    if wants("json"):
        print_json({"run": path, **record})
    elif wants("quiet"):
        click.echo(path)
    else:
        click.echo(f"{path}, fitted on {counted(record['examples'], 'validation example')}\n")
        print_table(("fitted", "value"), calibration_lines(record))
