"""`kerasft predict`."""

from __future__ import annotations

import contextlib
import io
import itertools
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import click

from kerasft.cli.completion import complete_runs
from kerasft.cli.options import wants
from kerasft.cli.output import on_terminal, plain, print_json
from kerasft.cli.prediction_lines import prediction_lines
from kerasft.cli.prediction_tables import Rows, rounded, with_top_classes, without_formulas
from kerasft.cli.run_argument import find_model, recorded_labels, with_runs_dir
from kerasft.cli.run_options import RunCommand, given_columns, with_columns
from kerasft.cli.startup import working
from kerasft.cli.table_writers import Write, check_table_path, csv_rows, json_list, table_file
from kerasft.errors import DataError, ResourceError, is_full_disk
from kerasft.formatting import printable

_TOP = 3  # classes in a line
_ROWS = 1024  # rows that are written at once


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

    -q prints the predictions alone, one per line; with --output, the path of the table.

    A table has the columns input, prediction, probability, and the probability of every class.
    The other columns of an input table are kept, such as an id. In CSV, a text that a spreadsheet
    would execute as a formula gets an apostrophe before it.

    Inputs are read, predicted and written part by part, so a million rows need no more memory than
    ten thousand. FILE appears when it is complete.

    Inputs that cannot be read, such as an empty line of a .txt file or of standard input, are
    listed at the end, with exit code 3.
    """
    if output is not None:
        check_table_path(output)
    path = find_model(run, runs_dir)
    _check_paths(path, inputs, strict=strict)
    given = _with_standard_input(inputs)
    failed: list[str] = []
    stdout = sys.stdout
    with working():
        import kerasft

        labels = recorded_labels(path)
        found = kerasft.predict(
            path,
            given,
            columns=given_columns(columns),
            on_error=None if strict else lambda error: failed.append(str(error)),
            stream=True,
        )
        answers = map(plain, found)
        if output is None and on_terminal() and not (wants("quiet") or wants("json")):
            lines = list(answers)
            count = len(lines)
        else:
            lines = []
            parts = _table_parts(answers, labels, top, formulas=raw or not _is_csv(output))
            count = _write(parts, output, stdout)
    # A probability that a table rounds to 1 is not certain on a line.
    width = shutil.get_terminal_size().columns
    for line in prediction_lines(lines, labels, top=top or _TOP, width=width):
        click.echo(printable(line))
    if output is not None:
        _print_path(output, count)
    _report(failed, count)


def _check_paths(model: Path, inputs: Sequence[str], *, strict: bool) -> None:
    """Raise DataError before a run is loaded, if nothing would be predicted.

    Args:
        model: Folder of a run, or of an exported model, which is not checked.
        inputs: Inputs, of which `-` is standard input.
        strict: Whether one wrong path is enough.
    """
    from kerasft import runs

    if runs.find_export(model) is not None:
        return
    modality = runs.load_run(model).modality
    errors = []
    for item in inputs:
        try:
            if item != "-":
                modality.check_path(item)
        except DataError as error:
            errors.append(error)
    if errors and (strict or len(errors) == len(inputs)):
        raise errors[0]


class _StandardInput(itertools.chain[str]):
    """The lines of standard input."""

    name = "standard input"


def _with_standard_input(inputs: Sequence[str]) -> list[Any]:
    """Return the inputs, with standard input as an open file for `-`."""
    if "-" not in inputs:
        return list(inputs)
    if sys.stdin.isatty():
        click.echo("Reading standard input, one line per input; end with Ctrl-D.", err=True)
    file = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig", newline="\n")
    begun: list[str] = []
    try:
        while not any(map(str.strip, begun[-1:])):
            begun.append(next(file))
    except UnicodeDecodeError as error:
        raise DataError("Standard input is not UTF-8 text. Convert it to UTF-8.") from error
    except StopIteration:
        raise DataError("Standard input is empty. Give one input per line.") from None
    lines = _StandardInput(begun, file)
    return [lines if item == "-" else item for item in inputs]


def _is_csv(output: Path | None) -> bool:
    """Return whether predictions are written as CSV."""
    if output is None:
        return not (wants("json") or wants("quiet"))
    return output.suffix.lower() == ".csv"


def _table_parts(
    answers: Iterator[Any], labels: Mapping[str, Any], top: int | None, *, formulas: bool
) -> Iterator[Rows]:
    """Yield the rows of a table, many at once.

    Args:
        answers: Rows of `kerasft.predict`.
        labels: Labels of the run, as in its file.
        top: Number of classes; None for a column for every class.
        formulas: Whether texts may be formulas of a spreadsheet.
    """
    while part := list(itertools.islice(answers, _ROWS)):
        rows = rounded(part, labels)
        table = with_top_classes(rows, labels, top) if top else rows
        yield table if formulas else without_formulas(table)


def _write(parts: Iterator[Rows], output: Path | None, stdout: TextIO) -> int:
    """Write the parts of a table when they are predicted, and return the number of rows."""
    first = list(itertools.islice(parts, 1))
    if output is not None and not first:
        return 0
    count = 0
    with _writer(output, stdout) as write:
        for part in itertools.chain(first, parts):
            write(part)
            count += len(part)
    return count


def _writer(output: Path | None, stdout: TextIO) -> contextlib.AbstractContextManager[Write]:
    if output is not None:
        return table_file(output)
    if wants("json"):
        return _printed(json_list(stdout), stdout)
    return _printed(_predictions(stdout) if wants("quiet") else csv_rows(stdout), stdout)


@contextlib.contextmanager
def _printed(writing: contextlib.AbstractContextManager[Write], stdout: TextIO) -> Iterator[Write]:
    """Give a function that prints rows at once; the error of a full disk names the output."""
    with writing as write:

        def write_now(rows: Rows) -> None:
            try:
                write(rows)
                stdout.flush()
            except OSError as error:
                if is_full_disk(error):
                    raise ResourceError(
                        f"Out of disk space for standard output: {error.strerror}."
                    ) from error
                raise

        yield write_now


@contextlib.contextmanager
def _predictions(file: TextIO) -> Iterator[Write]:
    """Give a function that writes the predictions alone, one per line."""
    yield lambda rows: file.writelines(printable(f"{row['prediction']}\n") for row in rows)


def _print_path(output: Path, count: int) -> None:
    """Say where the table was written; no file is written without rows."""
    if wants("json"):
        print_json({"path": output if count else None, "rows": count})
    elif count:
        click.echo(output if wants("quiet") else f"{count} predictions in {output}")


def _report(failed: Sequence[str], predicted: int) -> None:
    """List the inputs that were not predicted, and exit with the code of bad data."""
    if not failed:
        return
    total = len(failed) + predicted
    click.secho(f"Not predicted: {len(failed)} of {total} inputs", fg="red", err=True)
    for error in failed:
        click.echo(f"  {error}", err=True)
    click.get_current_context().exit(DataError.exit_code)
