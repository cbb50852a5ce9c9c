"""Experiment tracking: a run of another tool beside a run of kerasft."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator

import keras

from kerasft.config import Config
from kerasft.errors import SettingError
from kerasft.pip_commands import install_extra
from kerasft.runs import Run
from kerasft.training.mlflow_tracker import open_mlflow, tracked_by_mlflow
from kerasft.training.wandb_tracker import open_wandb, tracked_by_wandb

TRACKERS = ("mlflow", "wandb")


def open_tracker(track: str | None, experiment: str) -> None:
    """Check, before anything is loaded, that a tracker is installed and accepts a run.

    Args:
        track: `mlflow`, `wandb`, or None for no tracker.
        experiment: Name of the experiment of MLflow, created where it does not exist.

    Raises:
        SettingError: The tracker is not known, not installed, or refuses a run.
        NetworkError: Its server does not respond.
    """
    if track is None:
        return
    if track not in TRACKERS:
        raise SettingError(f"`track` must be {' or '.join(TRACKERS)}. Received: track={track!r}.")
    if importlib.util.find_spec(track) is None:
        raise SettingError(f"{track} is not installed. Install it: {install_extra(track)}")
    if track == "mlflow":
        open_mlflow(experiment)
    else:
        open_wandb()


@contextlib.contextmanager
def tracked(
    track: str | None, run: Run, config: Config
) -> Iterator[list[keras.callbacks.Callback]]:
    """Create a run of a tracker, of the same name, beside a run; see `open_tracker`.

    It receives the settings, every epoch, and at the end the metrics and the files of the run
    folder.

    Args:
        track: `mlflow`, `wandb`, or None for no tracker.
        run: The run, with an open record.
        config: Its settings.

    Yields:
        Callbacks for the training, none without a tracker.
    """
    if track is None:
        yield []
        return
    start = tracked_by_mlflow if track == "mlflow" else tracked_by_wandb
    with start(run, config) as callbacks:
        yield callbacks


def tensorboard(run: Run) -> list[keras.callbacks.Callback]:
    """Return the callback that writes TensorBoard event files, none without TensorFlow."""
    if keras.backend.backend() != "tensorflow":  # the event files are TensorFlow's
        return []
    return [keras.callbacks.TensorBoard(str(run.path / "tensorboard"), write_graph=False)]
