"""Metrics as text: one line, a table by class, and confusions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import click

from kerasft.cli.output import print_table, terminal_width
from kerasft.formatting import counted, number, shown
from kerasft.tasks import task_of

_WIDEST_MATRIX = 15
_SHOWN_CONFUSIONS = 10


def main_metrics(task: str) -> tuple[str, ...]:
    """Return the main metrics of a task, the most important first.

    Raises:
        SettingError: There is no such task.
    """
    return task_of(task).main_metrics


def score_line(task: str, metrics: Mapping[str, Any], monitor: str | None = None) -> str:
    """Return the important metrics of one split as a line, with the one that the fit monitors."""
    scores = task_of(task).shown_scores(metrics, monitor or "")
    found = [f"{title} {shown(value)}" for title, value in scores]
    examples = f"  ({counted(metrics['examples'], 'example')})" if "examples" in metrics else ""
    return ", ".join(found) + examples


def score_lines(run: Any) -> dict[str, str]:
    """Return the important metrics of a run as a line for each split."""
    task, monitor = run.labels["task"], run.config.get("monitor")
    return {split: score_line(task, found, monitor) for split, found in run.metrics.items()}


def print_scores(task: str, metrics: Mapping[str, Any]) -> None:
    """Print all metrics of one split, with the confidence interval of the main metric."""
    numbers = {k: v for k, v in metrics.items() if isinstance(v, (int, float)) or v is None}
    names = [name for name in (*main_metrics(task), *numbers) if name in numbers]
    title, intervals = task_of(task).metric_title, metrics.get("confidence_interval", {})
    rows = [
        (title(name), numbers[name], " to ".join(map(number, intervals.get(name, ()))))
        for name in dict.fromkeys(names)
    ]
    if intervals:
        print_table(("metric", "value", "95% interval"), rows)
    else:
        print_table(("metric", "value"), [row[:2] for row in rows])
    calibrated = metrics.get("calibrated")
    if calibrated:
        click.echo()
        print_table(("calibrated", "value"), [(title(k), v) for k, v in calibrated.items()])
    classes = metrics.get("per_class")
    if classes:
        click.echo()
        columns = ("precision", "recall", "f1", "support")
        scores = [[row["name"], *(row[column] for column in columns)] for row in classes]
        print_table(("class", *columns), scores)
    if classes and metrics.get("confusion_matrix"):
        click.echo()
        _print_confusions([row["name"] for row in classes], metrics["confusion_matrix"])


def _print_confusions(names: Sequence[str], matrix: Sequence[Sequence[int]]) -> None:
    columns = _column_names(names, matrix) if len(names) <= _WIDEST_MATRIX else None
    if columns is not None:
        click.echo("Confusion matrix (rows: truth, columns: predicted)")
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


def _column_names(names: Sequence[str], matrix: Sequence[Sequence[int]]) -> list[str] | None:
    """Return the names, cut where the terminal is too narrow; None where they become equal."""
    longest = max(map(len, names))
    digits = [max(len(shown(row[i])) for row in matrix) for i in range(len(names))]
    for length in range(longest, min(longest, 3) - 1, -1):
        cut = [name[:length] for name in names]
        widths = [max(len(name), count) for name, count in zip(cut, digits, strict=True)]
        if longest + sum(widths) + 2 * len(names) <= terminal_width():
            return cut if len(set(cut)) == len(names) else None
    return None


def main_score(task: str, metrics: Mapping[str, Any]) -> float:
    """Return the main metric of a task, NaN if it was not measured."""
    value = metrics.get(main_metrics(task)[0])
    return math.nan if value is None else float(value)
