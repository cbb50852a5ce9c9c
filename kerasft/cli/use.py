"""`kerasft evaluate`, `predict` and `export`: what can be done with a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kerasft.cli.find_runs import find_run, with_runs_dir
from kerasft.cli.options import SharedOptions, wants
from kerasft.cli.output import plain, print_facts, print_json
from kerasft.cli.scores import judged_by, print_scores
from kerasft.cli.startup import working
from kerasft.cli.tables import check_table_path, csv_text, write_table


class RunCommand(SharedOptions):
    """A command on a run: its help tells what a RUN may be."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.epilog = (
            "RUN is a run's folder, its NAME or RECIPE/NAME below --runs-dir, RECIPE for its "
            "latest run, or `latest`."
        )


def with_columns(*kinds: str) -> Any:
    """Return what adds the options that name the columns of other data."""

    def add(command: Any) -> Any:
        for kind in reversed(kinds):
            text = f"Column of a table with the {kind.replace('-', ' ')}  [default: as in the fit]"
            command = click.option(f"--{kind}-column", metavar="NAME", help=text)(command)
        return command

    return add


def _given(columns: dict[str, str | None]) -> dict[str, str]:
    return {name: column for name, column in columns.items() if column is not None}


@click.command("evaluate", cls=RunCommand)
@click.argument("run")
@click.option(
    "--split",
    type=click.Choice(["validation", "test"]),
    default="test",
    show_default=True,
    help="Which of the run's own splits is measured",
)
@click.option(
    "--dataset", help="Other data with the same classes: their test split, or all without one"
)
@with_columns("text", "text-pair", "image", "label")
@with_runs_dir
def evaluate_command(
    run: str, split: str, dataset: str | None, runs_dir: str, **columns: str | None
) -> None:
    """Measure a RUN on its test split or on other data."""
    path = find_run(run, runs_dir)
    with working():
        import kerasft

        metrics = kerasft.evaluate(path, dataset=dataset, split=split, columns=_given(columns))
        task = kerasft.load_run(path).labels["task"]
    if wants("json"):
        where = {"dataset": dataset} if dataset else {"split": split}
        print_json({"run": path, **where, "metrics": metrics})
    elif wants("quiet"):
        click.echo(f"{judged_by(task, metrics):.6g}")
    else:
        click.echo(f"{path} on {dataset or f'its {split} split'}\n")
        print_scores(task, metrics)


@click.command("predict", cls=RunCommand)
@click.argument("run")
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the table to a .csv, .jsonl, .json or .parquet file instead",
)
@with_columns("text", "text-pair", "image")
@with_runs_dir
def predict_command(
    run: str,
    inputs: tuple[str, ...],
    output: Path | None,
    runs_dir: str,
    **columns: str | None,
) -> None:
    """Predict inputs with a RUN and write a table.

    Its columns: input, prediction, probability, and the probability of every class.

    INPUT is a file, a folder or a table of images, or for a text recipe a text, a table, or a
    .txt file with one text a line. A text that begins with a dash stands after `--`.
    """
    if output is not None:
        check_table_path(output)
    path = find_run(run, runs_dir)
    with working():
        import kerasft

        found = kerasft.predict(path, list(inputs), columns=_given(columns))
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


@click.command("export", cls=RunCommand)
@click.argument("run")
@click.option(
    "--name", help="Name of the model  [default: the recipe's, and the dataset's if it is another]"
)
@click.option(
    "--models-dir",
    type=click.Path(file_okay=False),
    default="saved_models",
    show_default=True,
    metavar="DIR",
    help="Folder in which exported models are kept",
)
@click.option(
    "--format",
    type=click.Choice(["saved_model", "preset"]),
    default="saved_model",
    show_default=True,
    help="A SavedModel that takes raw inputs, or the tuned backbone as a KerasHub preset",
)
@with_runs_dir
def export_command(run: str, name: str | None, models_dir: str, format: str, runs_dir: str) -> None:
    """Export a RUN as a SavedModel or as a preset.

    A SavedModel has its preprocessing inside: it takes raw images or texts.
    """
    path = find_run(run, runs_dir)
    with working():
        import kerasft

        folder = kerasft.export(path, models_dir=models_dir, name=name, format=format)
        exported = kerasft.load_run(path)
    if wants("json"):
        print_json({"run": path, "path": folder, "format": format})
    elif wants("quiet"):
        click.echo(folder)
    else:
        print_facts({"exported": str(folder), "load": _how_to_load(folder, format, exported)})


def _how_to_load(folder: Path, format: str, run: Any) -> list[str]:
    if format == "preset":
        return [
            "import keras_hub",
            f"backbone = keras_hub.models.Backbone.from_preset({str(folder)!r})",
        ]
    is_text = "text_column" in run.config
    values = ["'a text'", "'its second text'"][: 1 + run.pairs]
    if not is_text:
        values = ["open('picture.png', 'rb').read()"]
    given = ", ".join(f"tf.constant([{value}])" for value in values)
    return [
        "import tensorflow as tf" + (", tensorflow_text" if is_text else ""),
        f"model = tf.saved_model.load({str(folder)!r})",
        f"model.serve({given})['prediction']",
    ]
