"""Checks before a command starts, and the start of TensorFlow without its notices."""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import sys
from collections.abc import Iterator
from types import ModuleType

import click

from kerasft.catalog import loads_preset, reads_dataset
from kerasft.cli.option_names import as_typed
from kerasft.cli.options import wants
from kerasft.config import Config
from kerasft.dataset_check import check_class_folders, check_dataset
from kerasft.display import showing, status
from kerasft.modalities import modality_of
from kerasft.presets.resolve import resolve
from kerasft.tensorflow_log import quiet_tensorflow


def replace_closed_streams() -> None:
    """Open the null device in the place of closed standard streams, as after `2>&-`.

    Else the next file that is opened gets their number, and the notices that libraries write there.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
            mode = "w" if number else "r"
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115 (for the process)


def check_sources(module: ModuleType, config: Config) -> None:
    """Check that the dataset and the preset of a recipe exist, before TensorFlow starts.

    Recipes that read their data or build their backbone themselves are not checked.

    Raises:
        DataError: The dataset was not found, or is a folder without class folders.
        SettingError: The preset was not found.
        NetworkError: A download is needed and its host cannot be reached.
    """
    if reads_dataset(module):
        check_dataset(config.dataset.source, config.data_dir)
    check_folder(module, config)
    if config.preset and loads_preset(module):
        resolve(config.preset, pretrained=config.pretrained)


def check_folder(module: ModuleType, config: Config) -> None:
    """Check that a folder of images has class folders, before TensorFlow starts.

    Raises:
        DataError: It has none, or they are in its only subfolder.
    """
    if reads_dataset(module) and modality_of(config).class_folders:
        check_class_folders(config.dataset)


def start_keras() -> None:
    """Import Keras and its backend, without their start-up notices.

    The garbage collector leaves out the objects of these libraries, which stay.
    """
    if "keras" in sys.modules:
        return
    status("importing Keras")
    gc.disable()
    try:
        with quiet_tensorflow():
            import keras  # noqa: F401
    finally:
        gc.freeze()
        gc.enable()


@contextlib.contextmanager
def working() -> Iterator[None]:
    """Show on stderr what the body does, start Keras, and send prints to stderr too.

    Libraries print while they download or prepare, and with `--json` stdout must be one document.
    """
    context = click.get_current_context()
    with showing(not wants("quiet")) as display:
        display.wording = functools.partial(as_typed, context=context)
        start_keras()
        with contextlib.redirect_stdout(sys.stderr):
            yield
