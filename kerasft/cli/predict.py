"""`kerasft predict`."""

from __future__ import annotations

from pathlib import Path

import click

from kerasft.cli.completion import complete_runs
from kerasft.cli.find_runs import find_run, with_runs_dir
from kerasft.cli.options import wants
from kerasft.cli.output import plain, print_json
from kerasft.cli.prediction_tables import check_table_path, csv_text, write_table
from kerasft.cli.run_options import RunCommand, given_columns, with_columns
from kerasft.cli.startup import working


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
@with_columns(label=False)
@with_runs_dir
def predict_command(
    run: str,
    inputs: tuple[str, ...],
    output: Path | None,
    runs_dir: str,
    **columns: str | None,
) -> None:
    """Predict inputs with a RUN and print a table.

    Its columns: input, prediction, probability, and the probability of every class.

    INPUT is a file, a folder or a table of images, or for a text recipe a text, a table, or a
    .txt file with one text per line. Put a text that begins with a dash after `--`.
    """
    if output is not None:
        check_table_path(output)
    path = find_run(run, runs_dir)
    with working():
        import kerasft

        found = kerasft.predict(path, list(inputs), columns=given_columns(columns))
        rows = [plain(row) for row in found]
        if output is not None:
            write_table(output, rows)
    if output is None and wants("json"):
        print_json(rows)
    elif output is None:
        click.echo(csv_text(rows), nl=False)
    elif wants("json"):
        print_json({"path": output, "rows": len(rows)})
    else:
        click.echo(output if wants("quiet") else f"{len(rows)} predictions in {output}")
