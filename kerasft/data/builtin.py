"""Small datasets that are installed with the package and need no network."""

from __future__ import annotations

import importlib.resources

import numpy as np

from kerasft.config import Config
from kerasft.data.examples import Examples
from kerasft.data.tables import Table, read_table
from kerasft.errors import DataError
from kerasft.modalities import modality_of
from kerasft.tasks import task_of

_WHAT = {
    "digits": "images of one digit each. Received: task={task}. Use a recipe for images with "
    "task=classification or regression.",
    "glyphs": "images of one letter each. Received: task={task}. Use a recipe for images with "
    "task=classification.",
    "tickets": "texts, but the recipe is not for texts. Use a recipe for texts, such as "
    "minilm_tickets.",
}


def check_builtin(name: str, config: Config) -> None:
    """Raise DataError where a builtin dataset holds inputs of another modality."""
    if name not in modality_of(config).builtin:
        raise refuse_builtin(name, config)


def refuse_builtin(name: str, config: Config) -> DataError:
    """Return the error for a builtin dataset that does not fit a config."""
    return DataError(f"builtin:{name} has {_WHAT[name].format(task=config.task)}")


def read_digits(config: Config) -> Examples:
    """Return scikit-learn's handwritten digits: uint8 arrays of shape (8, 8), labels 0 to 9."""
    from sklearn.datasets import load_digits

    task = task_of(config.task)
    if task.several:
        raise refuse_builtin("digits", config)
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
