"""Tasks, one file each: labels, loss, metrics, decision, display.

A new task is a new file and a line in `TASKS`. The settings import this package, so it needs only
the standard library at import; functions import NumPy, Keras and scikit-learn when called.
"""

from __future__ import annotations

from collections.abc import Callable

from kerasft.errors import SettingError, did_you_mean
from kerasft.tasks.base import FeatureReaders, Task
from kerasft.tasks.classification import Classification
from kerasft.tasks.labels import Labels
from kerasft.tasks.multilabel import MultiLabel
from kerasft.tasks.ordinal import Ordinal
from kerasft.tasks.regression import Regression

TASKS: dict[str, Task] = {
    task.name: task for task in (Classification(), MultiLabel(), Regression(), Ordinal())
}
# Losses of all tasks, for the choices of the setting.
LOSSES = tuple(dict.fromkeys(loss for task in TASKS.values() for loss in task.losses))

__all__ = [
    "LOSSES",
    "TASKS",
    "FeatureReaders",
    "Labels",
    "Regression",
    "Task",
    "compared_metric",
    "describe_monitors",
    "describe_tasks",
    "less_is_better",
    "task_of",
    "tasks_with",
    "with_several_labels",
]


def task_of(name: str) -> Task:
    """Return a task by its name in a config or record.

    Raises:
        SettingError: The task was not found.

    Example:
        >>> task_of("multilabel").main_metrics
        ('f1', 'accuracy')
    """
    if name not in TASKS:
        raise SettingError(
            f"`task` must be one of {', '.join(TASKS)}. Received: task={name!r}."
            f"{did_you_mean(str(name), TASKS)}"
        )
    return TASKS[name]


def with_several_labels(name: str) -> str:
    """Return the task for several label columns, where the given one reads one class per example.

    Example:
        >>> with_several_labels("classification"), with_several_labels("regression")
        ('multilabel', 'regression')
    """
    task = TASKS.get(name)
    if task is None or task.several or not task.has_classes:
        return name
    return next(other.name for other in TASKS.values() if other.several)


def describe_tasks() -> str:
    """Return the predictions of all tasks, for help texts: `one class, several labels, ...`."""
    *first, last = (task.title for task in TASKS.values())
    return f"{', '.join(first)}, or {last}"


def describe_monitors() -> str:
    """Return the default monitors of all tasks: `val_accuracy for classification, ...`."""
    names: dict[str, list[str]] = {}
    for task in TASKS.values():
        names.setdefault(task.main_metric, []).append(task.name)
    return ", ".join(f"val_{metric} for {' and '.join(of)}" for metric, of in names.items())


def tasks_with(fits: Callable[[Task], bool]) -> str:
    """Return the names of the tasks that fit, for help texts and messages.

    Example:
        >>> tasks_with(lambda task: task.has_classes)
        'classification or multilabel'
    """
    *first, last = (task.name for task in TASKS.values() if fits(task))
    return f"{', '.join(first)} or {last}" if first else last


def compared_metric(task: Task, *monitors: str | None) -> str:
    """Return the metric by which fits are compared: the one that all monitor, or the main one.

    The loss is not compared, as settings such as `label_smoothing` change what it is.

    Args:
        task: Task of the fits.
        monitors: Setting `monitor` of each fit; None is the default of the task.

    Example:
        >>> compared_metric(task_of("classification"), "val_f1", "val_f1")
        'f1'
    """
    name = (monitors[0] or "").removeprefix("val_") if len(set(monitors)) == 1 else ""
    return name if name in task.directions and name != "loss" else task.main_metric


def less_is_better(metric: str) -> bool:
    """Return whether a smaller value of a metric is better."""
    return any(task.directions.get(metric) == "min" for task in TASKS.values())
