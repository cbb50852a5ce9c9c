"""A run of MLflow beside a run of kerasft.

MLFLOW_TRACKING_URI and other variables of MLflow configure the server.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import keras

from kerasft.config import Config, to_dict
from kerasft.errors import SettingError
from kerasft.reachable_hosts import require_server
from kerasft.runs import Run
from kerasft.training.tracked_record import tracked_files, tracked_numbers


def open_mlflow(experiment: str) -> None:
    """Check that MLflow accepts a run; inside an active run its experiment is used."""
    import mlflow

    place = mlflow.get_tracking_uri()
    if urlsplit(place).scheme in ("http", "https"):  # MLflow itself tries for minutes
        require_server(place, "MLflow")
    try:
        if mlflow.active_run() is None:
            mlflow.set_experiment(experiment)
    except mlflow.MlflowException as error:
        raise SettingError(f"MLflow refuses a run at {place}: {error.message}") from error


@contextlib.contextmanager
def tracked_by_mlflow(run: Run, config: Config) -> Iterator[list[keras.callbacks.Callback]]:
    """Create an MLflow run; inside an active run it is a nested one."""
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
        mlflow.log_metrics(tracked_numbers(run))
        for file in tracked_files(run):
            mlflow.log_artifact(str(file))
