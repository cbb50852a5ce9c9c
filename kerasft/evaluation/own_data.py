"""The data that a run was fitted on."""

from __future__ import annotations

from typing import Any

from kerasft.data import Data, load_recipe_data
from kerasft.data.examples import SPLITS
from kerasft.errors import DataError, SettingError
from kerasft.evaluation.load import Loaded
from kerasft.runs import Run


def load_own_data(run: Run, loaded: Loaded) -> Data:
    """Load the data of a run again.

    Args:
        run: Run.
        loaded: The same run in memory.

    Raises:
        DataError: The data have changed since the training, or cannot be read.
    """
    data = load_recipe_data(loaded.recipe, loaded.config)
    if data.fingerprint != run.manifest["data"]["fingerprint"]:
        raise DataError(
            f"The dataset {loaded.config.dataset} has changed since {run.path} was trained, so its "
            "splits may differ and contain training examples. Restore it, or evaluate on other "
            "data with --dataset."
        )
    return data


def own_split(run: Run, loaded: Loaded, split: str) -> Any:
    """Return a split of the data of a run, loaded again.

    Raises:
        SettingError: There is no such split.
        DataError: The data have changed since the training, or cannot be read.
    """
    if split not in SPLITS:
        raise SettingError(f"`split` must be train, validation or test. Received: split={split!r}.")
    part = getattr(load_own_data(run, loaded), split)
    if part is None:
        raise SettingError(f"The data of {run.path} have no {split} split. Set another `split`.")
    return part
