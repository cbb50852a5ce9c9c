"""Trials in TensorBoard's HParams dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras

from kerasft.tuning.results import Trial


def write_hparams(folder: Path, objective: str, trials: Sequence[Trial]) -> None:
    """Write the settings and the score of every completed trial, unless they are written.

    Args:
        folder: Search folder; the files are written to its `tensorboard/`.
        objective: Name of the objective.
        trials: Trials of the search.
    """
    if keras.backend.backend() != "tensorflow":  # the event files are TensorFlow's
        return
    import tensorflow
    from tensorboard.plugins.hparams import api

    for trial in trials:
        target = folder / "tensorboard" / f"{trial.number:04d}"
        if trial.state != "completed" or trial.score is None or target.exists():
            continue
        writer = tensorflow.summary.create_file_writer(str(target))
        with writer.as_default():
            values = {name: value for name, value in trial.values.items() if value is not None}
            api.hparams(values, trial_id=f"{trial.number:04d}")
            tensorflow.summary.scalar(objective, trial.score, step=trial.epochs)
        writer.close()
