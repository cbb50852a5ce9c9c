"""Metrics as text: one line, a table by class, and confusions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import click

from kerasft.cli.output import print_table
from kerasft.formatting import shown
from kerasft.tasks import task_of

_WIDEST_MATRIX = 15
_SHOWN_CONFUSIONS = 10


def main_metrics(task: str) -> tuple[str, ...]:
    """Return the main metrics of a task, the most important first.

    Raises:
        SettingError: There is no such task.
    """
    return task_of(task).main_metrics


def score_line(task: str, metrics: Mapping[str, Any]) -> str:
    """Return the important metrics of one split as a line."""
    names = [name for name in task_of(task).shown_metrics if name in metrics]
    found = [f"{name} {shown(metrics[name])}" for name in names]
    examples = f"  ({metrics['examples']} examples)" if "examples" in metrics else ""
    return ", ".join(found) + examples


def print_scores(task: str, metrics: Mapping[str, Any]) -> None:
    """Print all metrics of one split."""
    numbers = {k: v for k, v in metrics.items() if isinstance(v, (int, float)) or v is None}
    names = [name for name in (*main_metrics(task), *numbers) if name in numbers]
    print_table(("metric", "value"), [(name, numbers[name]) for name in dict.fromkeys(names)])
    classes = metrics.get("per_class")
    if classes:
        click.echo()
        columns = ("precision", "recall", "f1", "support")
        rows = [[row["name"], *(row[column] for column in columns)] for row in classes]
        print_table(("class", *columns), rows)
    if classes and metrics.get("confusion_matrix"):
        click.echo()
        _print_confusions([row["name"] for row in classes], metrics["confusion_matrix"])


def _print_confusions(names: Sequence[str], matrix: Sequence[Sequence[int]]) -> None:
    if len(names) <= _WIDEST_MATRIX:
        click.echo("Confusion matrix (rows: truth, columns: predicted)")
        columns = _short_names(names)
        lines = [[name, *row] for name, row in zip(names, matrix, strict=True)]
        print_table(("", *columns), lines, capitals=False)
        return
    pairs = sorted(
        (-count, names[truth], names[predicted])
        for truth, row in enumerate(matrix)
        for predicted, count in enumerate(row)
        if truth != predicted and count
    )
    if pairs:
        click.echo(f"Most frequent confusions ({len(pairs)} pairs in all; --json has the matrix)")
        rows = [(truth, predicted, -count) for count, truth, predicted in pairs[:_SHOWN_CONFUSIONS]]
        print_table(("truth", "predicted", "count"), rows)


def _short_names(names: Sequence[str]) -> list[str]:
    """Return names cut to the shortest length of at least 6 at which they differ."""
    longest = max(map(len, names))
    for length in range(6, longest):
        cut = [name[:length] for name in names]
        if len(set(cut)) == len(names):
            return cut
    return list(names)


def judged_by(task: str, metrics: Mapping[str, Any]) -> float:
    """Return the main metric of a task, NaN if it was not measured."""
    value = metrics.get(main_metrics(task)[0])
    return math.nan if value is None else float(value)
