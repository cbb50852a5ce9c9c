"""One trial: a training like that of a fit, which can be stopped and go on at every epoch.

A trial's folder is a run's folder: `kerasft evaluate` and `kerasft export` take it while its
weights are kept. It never measures the test split.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras

from kerasft.config import Config, from_dict
from kerasft.errors import (
    DamagedFileError,
    DataError,
    DivergedError,
    NetworkError,
    ResourceError,
    first_line,
    name_and_first_line,
)
from kerasft.models import choose_monitor
from kerasft.models.freezing import changing_weights
from kerasft.models.precision import precision
from kerasft.runs import Run, save_weights, write_manifest
from kerasft.training.callbacks import BestWeights
from kerasft.training.loop import train
from kerasft.training.phases import Phase
from kerasft.training.run_record import Recorder, open_record
from kerasft.tuning.trial_models import TrialModels

# These are not about a trial's settings: the next trial would meet them too.
_STOPPING = (DataError, NetworkError, ResourceError, DamagedFileError, ImportError, OSError)


@dataclass(frozen=True)
class Task:
    """What a worker needs to run a trial; plain values, so that any executor can send it.

    Attributes:
        number: The trial's number.
        folder: Its folder.
        settings: All settings.
        executions: How often it is trained, each time with another seed of model and order.
        continues: Folder of the trial whose training goes on here (Hyperband).
        deadline: Time (as `time.time`) after which no further epoch is begun.
        keep_above: The weights are kept where the score, times the objective's sign, is higher.
        keep_state: Whether the state stays after the end, for a trial that continues this one.
    """

    number: int
    folder: Path
    settings: dict[str, Any]
    executions: int = 1
    continues: Path | None = None
    deadline: float | None = None
    keep_above: float = float("-inf")
    keep_state: bool = False


class TrialStoppedError(Exception):
    """A trial that was stopped between two epochs and can go on."""


class Stop(keras.callbacks.Callback):
    """Ends a training before an epoch that begins too late, or at once when it is cancelled."""

    def __init__(self, deadline: float | None, cancelled: threading.Event | None) -> None:
        super().__init__()
        self.deadline, self.cancelled = deadline, cancelled

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the clock; the state of the last epoch is on the disk already."""
        if self.deadline is not None and time.time() > self.deadline:
            raise TrialStoppedError
        self.on_train_batch_begin(0)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Look whether the search was interrupted."""
        if self.cancelled is not None and self.cancelled.is_set():
            raise TrialStoppedError


def state_path(folder: Path, execution: int) -> Path:
    """Return where the state of a trial's execution is."""
    return folder / f"state-{execution}.safetensors"


def run_trial(
    trial_models: TrialModels, task: Task, cancelled: threading.Event | None = None
) -> dict[str, Any]:
    """Run a trial, or the rest of it, and return what came out.

    Args:
        trial_models: Of this process.
        task: The trial.
        cancelled: Ends it at the next batch when set.

    Returns:
        `state` (`completed`, `failed` or `stopped`), and by it `score`, `val_loss` and
        `best_epoch` (means over executions, the best epoch of the first), `scores`, `epochs`
        that were trained, `seconds`, `reason`.

    Raises:
        DataError, NetworkError, ResourceError, DamagedFileError, ImportError, OSError: What
            would end the next trial too.
    """
    began = time.monotonic()
    outcome: dict[str, Any] = {"state": "completed"}
    try:
        config = from_dict(trial_models.recipe.Config, task.settings)
        results = [
            _execute(
                trial_models, replace(config, seed=config.seed + index), task, index, cancelled
            )
            for index in range(task.executions)
        ]
        outcome |= _summary(results)
    except TrialStoppedError:
        outcome["state"] = "stopped"
    except _STOPPING:
        raise
    except Exception as error:  # a trial may fail in any way; the search shows why and goes on
        outcome |= {"state": "failed", "reason": _reason(error)}
    if (outcome["state"] == "completed" and not task.keep_state) or outcome["state"] == "failed":
        for path in task.folder.glob("state-*.safetensors"):
            path.unlink()
    return {**outcome, "seconds": round(time.monotonic() - began, 3)}


def _execute(
    trial_models: TrialModels,
    config: Config,
    task: Task,
    index: int,
    cancelled: threading.Event | None,
) -> dict[str, Any]:
    monitor, direction = choose_monitor(config)
    with precision(config.precision):
        data = trial_models.data(config)
        compiled_models = trial_models.compiled_models(config, data)
        model = compiled_models.model
        run = Run(task.folder) if index == 0 else None
        state = state_path(task.folder, index)
        if run is not None:
            open_record(run, trial_models.recipe, config, data, model)
        if task.continues is not None and not state.exists():
            state.symlink_to(state_path(task.continues, index).resolve())
        best_weights = BestWeights(changing_weights(model), monitor, direction, config.patience)
        recorder = Recorder(run)

        def make_callbacks(phase: Phase, epochs: int) -> list[keras.callbacks.Callback]:
            return [Stop(task.deadline, cancelled)]

        train(
            compiled_models, config, data, best_weights, recorder,
            make_callbacks=make_callbacks, features=trial_models.features, state=state,
        )  # fmt: skip
        if run is not None:
            _close(run, model, best_weights, task)
    if best_weights.best is None or best_weights.best_epoch is None:
        raise DivergedError(f"No epoch gave a finite {monitor}.")
    return {
        "score": best_weights.sign * best_weights.best[0],
        "val_loss": -best_weights.best[1],
        "best_epoch": best_weights.best_epoch + 1,
        "epochs": len(recorder.history),
        "training_seconds": round(sum(row["seconds"] for row in recorder.history), 3),
    }


def _close(run: Run, model: keras.Model, best_weights: BestWeights, task: Task) -> None:
    """Keep the weights of a good trial and close its record."""
    if best_weights.best is not None and best_weights.best[0] > task.keep_above:
        stored = run.manifest["weights"]["stored"]
        save_weights(run, changing_weights(model) if stored == "trained" else model.weights)
    best_epoch = None if best_weights.best_epoch is None else best_weights.best_epoch + 1
    write_manifest(run, state="done", monitor=best_weights.monitor, best_epoch=best_epoch)


def _summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    scores = [result["score"] for result in results]
    return {
        "score": sum(scores) / len(scores),
        "scores": scores,
        "val_loss": sum(result["val_loss"] for result in results) / len(results),
        "best_epoch": results[0]["best_epoch"],
        "epochs": sum(result["epochs"] for result in results),
        "training_seconds": sum(result["training_seconds"] for result in results),
    }


def _reason(error: Exception) -> str:
    if type(error).__name__ == "ResourceExhaustedError" or isinstance(error, MemoryError):
        return "out of memory: a smaller batch_size needs less"
    known = isinstance(error, (DivergedError, ValueError))
    return first_line(error) if known else name_and_first_line(error)
