"""Fits that other tools watch too; MLflow's own callback, where it is asked for."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from typing import Any

import keras

from kerasft.config import Config, to_dict
from kerasft.errors import SettingError
from kerasft.runs import Run

TRACKERS = ("mlflow",)


def check_tracker(track: str | None) -> None:
    """Raises SettingError where a tracker is not known or not installed."""
    if track is None:
        return
    if track not in TRACKERS:
        raise SettingError(f"track={track!r} is not known: give {' or '.join(TRACKERS)}.")
    if importlib.util.find_spec(track) is None:
        raise SettingError(f"{track} is not installed: pip install 'kerasft[{track}]'.")


@contextlib.contextmanager
def tracked(
    track: str | None, run: Run, config: Config
) -> Iterator[list[keras.callbacks.Callback]]:
    """Makes a run of MLflow beside a run of ours, of the same name, in an experiment a recipe.

    It gets the settings as parameters, every epoch by MLflow's own callback, and at the end the
    scores and the files of the record. MLFLOW_TRACKING_URI and MLflow's other variables say where
    to; inside a run of the caller's it is a nested one.

    Args:
        track: `mlflow`, or None for nothing.
        run: The run, opened.
        config: Its settings.
    """
    if track is None:
        yield []
        return
    import mlflow
    import mlflow.keras

    class Epochs(mlflow.keras.MlflowCallback):  # type: ignore[name-defined]
        """Without the optimizer of each phase: parameters of a run are written once."""

        def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
            pass

        def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
            pass  # the end of an epoch has them too, with its number

    if mlflow.active_run() is None:
        mlflow.set_experiment(run.recipe)
    with mlflow.start_run(run_name=run.name, nested=mlflow.active_run() is not None):
        mlflow.log_params(to_dict(config))
        yield [Epochs()]
        for split, metrics in run.metrics.items():
            numbers = {k: v for k, v in metrics.items() if isinstance(v, int | float)}
            mlflow.log_metrics({f"{split}_{k}": v for k, v in numbers.items()})
        for file in sorted(run.path.iterdir()):
            if file.suffix in (".json", ".csv", ".png"):
                mlflow.log_artifact(str(file))
