"""Fit that other tools watch too; MLflow's own callback, where it is asked for."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import keras

from kerasft.config import Config, to_dict
from kerasft.errors import NetworkError, SettingError
from kerasft.network import connection_error
from kerasft.runs import Run

TRACKERS = ("mlflow",)


def open_tracker(track: str | None, experiment: str) -> None:
    """Make sure, before anything is loaded, that a tracker is there and takes a run.

    Args:
        track: `mlflow`, or None for nothing.
        experiment: The experiment of the runs that follow, made where there is none; inside a run
            of the caller's its own stays.

    Raises:
        SettingError: The tracker is not known, not installed, or refuses.
        NetworkError: Its server does not answer.
    """
    if track is None:
        return
    if track not in TRACKERS:
        raise SettingError(f"track={track!r} is not known: give {' or '.join(TRACKERS)}.")
    if importlib.util.find_spec(track) is None:
        raise SettingError(f"{track} is not installed: pip install 'kerasft[{track}]'.")
    import mlflow

    place = mlflow.get_tracking_uri()
    server = urlsplit(place)
    if server.scheme in ("http", "https"):  # MLflow itself tries for minutes
        port = server.port or (443 if server.scheme == "https" else 80)
        error = connection_error(server.hostname or "", port)
        if error:
            raise NetworkError(f"The MLflow server {place} cannot be reached ({error}).")
    try:
        if mlflow.active_run() is None:
            mlflow.set_experiment(experiment)
    except mlflow.MlflowException as error:
        raise SettingError(f"MLflow takes no run at {place}: {error.message}") from error


@contextlib.contextmanager
def tracked(
    track: str | None, run: Run, config: Config
) -> Iterator[list[keras.callbacks.Callback]]:
    """Make a run of MLflow beside a run of ours, of the same name; see `open_tracker`.

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

    with mlflow.start_run(run_name=run.name, nested=mlflow.active_run() is not None):
        mlflow.log_params(to_dict(config))
        yield [Epochs()]
        for split, metrics in run.metrics.items():
            numbers = {k: v for k, v in metrics.items() if isinstance(v, int | float)}
            mlflow.log_metrics({f"{split}_{k}": v for k, v in numbers.items()})
        for file in sorted(run.path.iterdir()):
            if file.suffix in (".json", ".csv", ".png"):
                mlflow.log_artifact(str(file))
