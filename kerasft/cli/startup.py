"""What stands before the work: a look at what the line names, then TensorFlow without chatter."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from kerasft.config import Config
from kerasft.dataset_lookup import check_dataset
from kerasft.presets.resolve import resolve
from kerasft.tensorflow_log import quiet_tensorflow


def check_sources(module: ModuleType, config: Config) -> None:
    """Look whether the dataset and the preset of a recipe are there; TensorFlow takes seconds.

    A recipe that reads its data or builds its backbone in a way of its own is left to itself.

    Raises:
        DataError, SettingError: There is no such dataset, or no such preset.
        NetworkError: It must be downloaded and its host cannot be reached.
    """
    if {"load_data"} <= _names(module.load_data) <= {"kerasft", "load_data"}:
        check_dataset(config.dataset, config.data_dir)
    if config.preset and _names(module.build_model) >= {"load_backbone", "preset"}:
        resolve(config.preset, pretrained=config.pretrained)


def _names(function: Callable[..., Any]) -> set[str]:
    """Return the attributes and global names that a function uses."""
    code = getattr(function, "__code__", None)
    return set(code.co_names) if code else set()


def start_keras() -> None:
    """Import Keras and its backend; their start-up notices are kept from the user."""
    with quiet_tensorflow():
        import keras  # noqa: F401


@contextlib.contextmanager
def working() -> Iterator[None]:
    """Surround a call of the Python API: Keras is started, and stray prints go to stderr.

    Libraries print while they download or prepare; with `--json` standard output must hold
    nothing but the document.
    """
    start_keras()
    with contextlib.redirect_stdout(sys.stderr):
        yield
