"""Small datasets that are installed with the package and need no network."""

from __future__ import annotations

import importlib.resources
from collections.abc import Callable

import numpy as np

from kerasft.config import Config
from kerasft.data.examples import Examples
from kerasft.data.tables import Table, read_table
from kerasft.errors import DataError
from kerasft.modalities import MODALITIES, modality_of
from kerasft.tasks import Task, task_of, tasks_with

# By dataset: whether its labels fit a task.
_FITS: dict[str, Callable[[Task], bool]] = {
    "digits": lambda task: not task.several,
    "glyphs": lambda task: task.has_classes and not task.several,
    "tickets": lambda task: True,
}


def check_builtin(name: str, config: Config) -> None:
    """Raise DataError if a builtin dataset does not fit the modality or the task of a config."""
    inputs = next(other.name for other in MODALITIES.values() if name in other.builtin)
    own = modality_of(config).name or "other inputs"
    if inputs != own:
        raise DataError(
            f"The recipe is for {own}, but builtin:{name} has {inputs}. Use a recipe for {inputs}, "
            "as listed by `kerasft list`."
        )
    if not _FITS[name](task_of(config.task)):
        raise DataError(
            f"`task` is {config.task}, but builtin:{name} has one label per image. Use --task "
            f"{tasks_with(_FITS[name])}."
        )


def read_digits(config: Config) -> Examples:
    """Return scikit-learn's handwritten digits: uint8 arrays of shape (8, 8), labels 0 to 9."""
    from sklearn.datasets import load_digits

    task = task_of(config.task)
    loaded = load_digits()
    images = np.round(loaded.images * (255 / 16)).astype(np.uint8)
    # Regression of a digit has no practical use, but is a quick test.
    origins = [f"digit {index}" for index in range(len(images))]
    pairs = zip(loaded.target.tolist(), origins, strict=True)
    labels = [task.normalize(digit, origin) for digit, origin in pairs]
    return Examples(list(images), labels, origins)


def read_tickets() -> Table:
    """Return the support messages as a table."""
    resource = importlib.resources.files("kerasft.data") / "builtin" / "tickets.csv"
    with importlib.resources.as_file(resource) as path:
        return read_table(path)
