"""`kerasft predict`."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from kerasft.cli.completion import complete_runs
from kerasft.cli.options import wants
from kerasft.cli.output import on_terminal, plain, print_json
from kerasft.cli.prediction_lines import prediction_lines
from kerasft.cli.prediction_tables import (
    Rows,
    check_table_path,
    csv_text,
    rounded,
    with_top_classes,
    without_formulas,
    write_table,
)
from kerasft.cli.run_argument import find_model, recorded_labels, with_runs_dir
from kerasft.cli.run_options import RunCommand, given_columns, with_columns
from kerasft.cli.startup import working
from kerasft.errors import DataError
from kerasft.formatting import printable

_TOP = 3  # classes in a line


@click.command("predict", cls=RunCommand)
@click.argument("run", shell_complete=complete_runs)
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the table to this .csv, .jsonl, .json or .parquet file",
)
@click.option(
    "--top",
    type=click.IntRange(1),
    metavar="K",
    help=f"Show the K most probable classes only  [default: {_TOP}; in a table, all]",
)
@click.option("--strict", is_flag=True, help="Stop at the first input that cannot be read")
@click.option(
    "--raw",
    is_flag=True,
    help="Write a text that begins like a formula to CSV as it is, without an apostrophe before it",
)
@with_columns(label=False)
@with_runs_dir
def predict_command(  # noqa: PLR0913 (one for each option)
    run: str,
    inputs: tuple[str, ...],
    output: Path | None,
    top: int | None,
    strict: bool,
    raw: bool,
    runs_dir: str,
    **columns: str | None,
) -> None:
    """Predict inputs with a RUN: one line each on a terminal, else a CSV table.

    RUN can be the folder of an exported model, or its .onnx or .tflite file: its graph then
    answers.

    INPUT is a file, a folder or a table of images, or for a text recipe a text, a table, or a
    .txt file with one text per line. `-` reads lines from standard input: texts, or paths of
    images. Put a text that begins with a dash after `--`.

    A table has the columns input, prediction, probability, and the probability of every class.
    The other columns of an input table are kept, such as an id. In CSV, a text that a spreadsheet
    would execute as a formula gets an apostrophe before it.

    Inputs that cannot be read, such as an empty line of a .txt file or of standard input, are
    listed at the end, with exit code 3.
    """
    if output is not None:
        check_table_path(output)
    path = find_model(run, runs_dir)
    given = _with_standard_input(inputs)
    failed: list[DataError] = []
    with working():
        import kerasft

        labels = recorded_labels(path)
        found = kerasft.predict(
            path,
            given,
            columns=given_columns(columns),
            on_error=None if strict else failed.append,
        )
        answers = [plain(row) for row in found]
        rows = rounded(answers, labels)
        table = with_top_classes(rows, labels, top) if top else rows
        if not (raw or wants("json")) and (output is None or output.suffix.lower() == ".csv"):
            table = without_formulas(table)
        if output is not None and rows:
            write_table(output, table)
    for_people = wants("quiet") or on_terminal()
    if output is None and for_people and not wants("json"):
        # A probability that a table rounds to 1 is not certain on a line.
        _print_lines(rows if wants("quiet") else answers, labels, top or _TOP)
    else:
        _print_table(table, output)
    _report(failed, len(rows))


def _with_standard_input(inputs: Sequence[str]) -> list[Any]:
    """Return the inputs, with the lines of standard input as an open file for `-`."""
    if "-" not in inputs:
        return list(inputs)
    if sys.stdin.isatty():
        click.echo("Reading standard input, one line per input; end with Ctrl-D.", err=True)
    try:
        text = sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError("Standard input is not UTF-8 text. Convert it to UTF-8.") from error
    if not text.strip():
        raise DataError("Standard input is empty. Give one input per line.")
    lines: Any = io.StringIO(text)
    lines.name = "standard input"
    return [lines if item == "-" else item for item in inputs]


def _print_lines(rows: Rows, labels: Mapping[str, Any], top: int) -> None:
    """Print a line per input; with --quiet the prediction alone."""
    width = shutil.get_terminal_size().columns
    lines = prediction_lines(rows, labels, top=top, width=width)
    for line in [row["prediction"] for row in rows] if wants("quiet") else lines:
        click.echo(printable(str(line)))


def _print_table(table: Rows, output: Path | None) -> None:
    """Print the table, or say where it was written."""
    if output is None and wants("json"):
        print_json(table)
    elif output is None:
        click.echo(csv_text(table), nl=False)
    elif wants("json"):
        print_json({"path": output, "rows": len(table)})
    elif table:
        click.echo(output if wants("quiet") else f"{len(table)} predictions in {output}")


def _report(failed: Sequence[DataError], predicted: int) -> None:
    """List the inputs that were not predicted, and exit with the code of bad data."""
    if not failed:
        return
    total = len(failed) + predicted
    click.secho(f"Not predicted: {len(failed)} of {total} inputs", fg="red", err=True)
    for error in failed:
        click.echo(f"  {error}", err=True)
    click.get_current_context().exit(DataError.exit_code)
