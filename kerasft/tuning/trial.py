"""One trial of a search: a training like that of a fit, which can stop and resume at any epoch.

The folder of a trial is a run folder: `kerasft evaluate` and `kerasft export` accept it as long
as its weights are stored. A trial never measures the test split.
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from kerasft.config import Config, from_dict
from kerasft.errors import (
    DamagedFileError,
    DataError,
    DivergedError,
    NetworkError,
    OutOfMemoryError,
    ResourceError,
    first_line,
    is_out_of_memory,
    name_and_first_line,
)
from kerasft.models.dtype_policy import precision
from kerasft.runs import Run, write_manifest
from kerasft.training.context import FitContext, make_context
from kerasft.training.fit_record import BestWeightsFile, open_record
from kerasft.training.loop import train
from kerasft.training.out_of_memory import train_in_memory
from kerasft.training.phases import Phase
from kerasft.training.resume_checks import training_in
from kerasft.tuning.trial_job import TrialJob
from kerasft.tuning.trial_models import TrialModels

# Errors that do not depend on the settings of a trial: the next trial would raise them too.
_STOPPING = (DataError, NetworkError, ResourceError, DamagedFileError, ImportError, OSError)


class TrialStoppedError(Exception):
    """Stops a trial, which can be resumed from its last finished epoch."""


class Stop(keras.callbacks.Callback):
    """Stops a training before an epoch after the deadline, or at the next batch once cancelled."""

    def __init__(self, deadline: float | None, cancelled: threading.Event | None) -> None:
        super().__init__()
        self.deadline, self.cancelled = deadline, cancelled

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Check the deadline; the state of the last epoch is saved already."""
        if self.deadline is not None and time.time() > self.deadline:
            raise TrialStoppedError
        self.on_train_batch_begin(0)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Check whether the search was interrupted."""
        if self.cancelled is not None and self.cancelled.is_set():
            raise TrialStoppedError


def state_path(folder: Path, execution: int) -> Path:
    """Return the path of the state of a trial's execution."""
    return folder / f"state-{execution}.safetensors"


def run_trial(
    trial_models: TrialModels, job: TrialJob, cancelled: threading.Event | None = None
) -> dict[str, Any]:
    """Run a trial, or the rest of it, and return its outcome.

    Args:
        trial_models: Data and models of this process.
        job: The trial.
        cancelled: Event that stops the trial at the next batch.

    Returns:
        `state` (`completed`, `failed` or `stopped`) and `seconds`, those of the epochs of earlier
        attempts included if it is completed. Of a completed trial also
        `score` and `val_loss` (means over executions), `best_epoch` (of the first execution),
        `scores`, `epochs` (total number trained) and `batches_per_step` (more than 1 where memory
        ran out); of a failed one `reason`.

    Raises:
        DataError, NetworkError, ResourceError, DamagedFileError, ImportError, OSError: They do
            not depend on the settings of the trial, except for a lack of memory.
    """
    began = time.monotonic()
    outcome: dict[str, Any] = {"state": "completed"}
    try:
        config = from_dict(trial_models.recipe.Config, job.settings)
        results = [
            _execute(trial_models, replace(config, seed=config.seed + index), job, index, cancelled)
            for index in range(job.executions)
        ]
        outcome |= _summary(results)
        restored = sum(result["restored_seconds"] for result in results)
        began -= max(restored - job.continued_seconds, 0.0)
    except TrialStoppedError:
        outcome["state"] = "stopped"
    except Exception as error:  # a trial may fail for any reason; the search continues
        if isinstance(error, _STOPPING) and not is_out_of_memory(error):
            raise
        outcome |= {"state": "failed", "reason": _reason(error)}
    if (outcome["state"] == "completed" and not job.keep_state) or outcome["state"] == "failed":
        for path in job.folder.glob("state-*.safetensors"):
            path.unlink()
    return {**outcome, "seconds": round(time.monotonic() - began, 3)}


def _execute(
    trial_models: TrialModels,
    config: Config,
    job: TrialJob,
    index: int,
    cancelled: threading.Event | None,
) -> dict[str, Any]:
    """Train a trial once and return the result of this execution."""
    with contextlib.ExitStack() as stack, precision(config.precision):
        data = trial_models.data(config)
        run = Run(job.folder) if index == 0 else None
        context = make_context(
            config, data, trial_models.compiled_models(config, data), run=run,
            feature_cache=trial_models.feature_cache,
        )  # fmt: skip
        if run is not None:
            stack.enter_context(training_in(run))
            open_record(run, trial_models.recipe, context)
        state = state_path(job.folder, index)
        if job.continues is not None and not state.exists():
            state.symlink_to(state_path(job.continues, index).resolve())

        restored: list[float] = []

        def make_callbacks(phase: Phase, epochs: int) -> list[keras.callbacks.Callback]:
            restored.append(_seconds(context))
            return [Stop(job.deadline, cancelled)]

        def train_once() -> None:
            train(context, make_callbacks=make_callbacks, state=state, keep_state=job.keep_state)

        train_in_memory(Run(job.folder), context, state, train_once)
        if run is not None:
            _close(run, context, job)
    return {**_result(context), "restored_seconds": restored[0]}


def _seconds(context: FitContext) -> float:
    """Return the time of all epochs so far, those that were restored included."""
    return float(sum(row["seconds"] for row in context.recorder.history))


def _result(context: FitContext) -> dict[str, Any]:
    """Return the result of an execution from its best epoch and its history."""
    best_weights, history = context.best_weights, context.recorder.history
    if best_weights.best is None or best_weights.best_epoch is None:
        raise DivergedError(f"{best_weights.monitor} was not finite in any epoch.")
    return {
        "score": best_weights.sign * best_weights.best[0],
        "val_loss": -best_weights.best[1],
        "best_epoch": best_weights.best_epoch + 1,
        "epochs": len(history),
        "training_seconds": round(_seconds(context), 3),
        "batches_per_step": context.compiled_models.batches_per_step,
    }


def _close(run: Run, context: FitContext, job: TrialJob) -> None:
    """Save the weights of a good trial and close its record."""
    best_weights = context.best_weights
    if best_weights.best is not None and best_weights.best[0] >= job.keep_above:
        BestWeightsFile(run, context).save()
    best_epoch = None if best_weights.best_epoch is None else best_weights.best_epoch + 1
    write_manifest(run, state="done", monitor=best_weights.monitor, best_epoch=best_epoch)


def _summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the outcome of a completed trial from the results of its executions."""
    scores = [result["score"] for result in results]
    return {
        "score": sum(scores) / len(scores),
        "scores": scores,
        "val_loss": sum(result["val_loss"] for result in results) / len(results),
        "best_epoch": results[0]["best_epoch"],
        "epochs": sum(result["epochs"] for result in results),
        "training_seconds": sum(result["training_seconds"] for result in results),
        "batches_per_step": max(result["batches_per_step"] for result in results),
    }


def _reason(error: Exception) -> str:
    """Return one line about an error, for the journal."""
    known = isinstance(error, (DivergedError, ValueError, OutOfMemoryError))
    if is_out_of_memory(error) and not known:
        return "out of memory: lower batch_size"
    return first_line(error) if known else name_and_first_line(error)
