"""Warm start: a search space narrowed around the results of an earlier search or run."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import keras_tuner

from kerasft.errors import SettingError
from kerasft.runs import load_run
from kerasft.tuning.journal import JOURNAL
from kerasft.tuning.results import load_search, ranked
from kerasft.tuning.space import contains

_SHARE = 1 / 3  # of a range that is kept


def narrowed(space: keras_tuner.HyperParameters, source: str | Path) -> keras_tuner.HyperParameters:
    """Narrow a search space around the best settings of an earlier search or run.

    A range keeps a third of its width (on its own scale) around the best value; a choice keeps
    the values of the best quarter of the trials, or of the run. The best values become the
    defaults. A dimension is unchanged if the earlier search did not have the setting, or if the
    best value is outside.

    Args:
        space: Search space.
        source: Folder of a search or a run.

    Raises:
        SettingError: The folder is neither, or the search has no completed trial.
    """
    good = _good_settings(Path(source))
    result = keras_tuner.HyperParameters()
    result.merge(
        [narrow_dimension(hp, [g[hp.name] for g in good if hp.name in g]) for hp in space.space]
    )
    return result


def _good_settings(path: Path) -> list[dict[str, Any]]:
    """Return the settings of the best quarter of the trials, the best first, or of a run."""
    if (path / JOURNAL).is_file():
        search = load_search(path)
        best = ranked(search.trials, search.header["objective"]["direction"])
        if not best:
            raise SettingError(
                f"No trial of {path} was completed. Pass a search with a completed trial."
            )
        quarter = best[: max(math.ceil(len(best) / 4), 1)]
        return [{**search.header["config"], **trial.values} for trial in quarter]
    if not path.is_dir():
        raise SettingError(f"Search or run {str(path)!r} not found. Pass the folder of one.")
    return [load_run(path).config]


def narrow_dimension(hp: Any, values: list[Any]) -> Any:
    """Return a dimension narrowed around values, the best of them first.

    Args:
        hp: A dimension of KerasTuner.
        values: Values of the best trials; the dimension is returned unchanged without any.
    """
    config = hp.get_config()
    if not values:
        return hp
    if hasattr(hp, "min_value"):
        if not contains(hp, values[0]):
            return hp
        scale = math.log if hp.sampling == "log" else float
        back = math.exp if hp.sampling == "log" else float
        low, high = scale(hp.min_value), scale(hp.max_value)
        half = (high - low) * _SHARE / 2
        ends = [
            back(max(scale(values[0]) - half, low)),
            back(min(scale(values[0]) + half, high)),
        ]
        if isinstance(values[0], int):
            ends = [math.floor(ends[0]), math.ceil(ends[1])]
        else:
            ends = [float(f"{end:.3g}") for end in ends]
        ends = [max(ends[0], hp.min_value), min(ends[1], hp.max_value)]
        if hp.step is not None:  # keep the grid of values
            inside = [value for value in hp.values if ends[0] <= value <= ends[1]]
            ends = [min(inside, default=values[0]), max(inside, default=values[0])]
        config |= {"min_value": ends[0], "max_value": ends[1]}
    elif hasattr(hp, "ordered"):
        if values[0] not in hp.values:
            return hp
        config["values"] = [value for value in hp.values if value in values]
    config["default"] = values[0]
    return type(hp).from_config(config)
