"""Experiment tracking: a run of MLflow beside a run of kerasft."""

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
    """Check, before anything is loaded, that a tracker is installed and accepts a run.

    Args:
        track: `mlflow`, or None for no tracker.
        experiment: Name of the experiment, created where it does not exist. Inside an active run
            its experiment is used.

    Raises:
        SettingError: The tracker is not known, not installed, or refuses a run.
        NetworkError: Its server does not respond.
    """
    if track is None:
        return
    if track not in TRACKERS:
        raise SettingError(f"`track` must be {' or '.join(TRACKERS)}. Received: track={track!r}.")
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
        raise SettingError(f"MLflow refuses a run at {place}: {error.message}") from error


@contextlib.contextmanager
def tracked(
    track: str | None, run: Run, config: Config
) -> Iterator[list[keras.callbacks.Callback]]:
    """Create an MLflow run of the same name beside a run; see `open_tracker`.

    It receives the settings as parameters, every epoch through MLflow's own callback, and at the
    end the metrics and the files of the run folder. MLFLOW_TRACKING_URI and other variables of
    MLflow configure the server. Inside an active run it is a nested run.

    Args:
        track: `mlflow`, or None for no tracker.
        run: The run, with an open record.
        config: Its settings.

    Yields:
        Callbacks for the training, none without a tracker.
    """
    if track is None:
        yield []
        return
    import mlflow
    import mlflow.keras

    class Epochs(mlflow.keras.MlflowCallback):  # type: ignore[name-defined]
        """MLflow's callback without optimizer parameters, which differ between phases."""

        def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
            pass

        def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
            pass  # logged at the end of the epoch, with its number

    with mlflow.start_run(run_name=run.name, nested=mlflow.active_run() is not None):
        mlflow.log_params(to_dict(config))
        yield [Epochs()]
        for split, metrics in run.metrics.items():
            numbers = {k: v for k, v in metrics.items() if isinstance(v, int | float)}
            mlflow.log_metrics({f"{split}_{k}": v for k, v in numbers.items()})
        for file in sorted(run.path.iterdir()):
            if file.suffix in (".json", ".csv", ".png"):
                mlflow.log_artifact(str(file))
