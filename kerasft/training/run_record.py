"""What a fit writes into its run folder, from the first line to the last."""

from __future__ import annotations

import contextlib
import datetime
import shlex
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any, TextIO

import keras

from kerasft.config import Config, changed_settings, to_dict
from kerasft.data import Data, text_lengths
from kerasft.evaluation.metrics import measure
from kerasft.evaluation.predict import predict_arrays
from kerasft.evaluation.predictions import save_predictions
from kerasft.formatting import number
from kerasft.frozen.feature_cache import PhaseInputs
from kerasft.insight import plot_curves
from kerasft.models import block_rows, block_table
from kerasft.runs import Run, write_history, write_json, write_manifest
from kerasft.runs.provenance import anchored, describe_recipe, describe_weights, versions
from kerasft.training.callbacks import BestWeights
from kerasft.training.phases import plan_phases


def log_writer(run: Run, stream: TextIO | None) -> Callable[..., None]:
    """Return a function that writes a line to the run's log and to `stream`."""

    def write(line: str, *, log_only: bool = False) -> None:
        with open(run.path / "run.log", "a", encoding="utf-8") as log:
            log.write(line + "\n")
        if stream is not None and not log_only:
            print(line, file=stream, flush=True)

    return write


def open_record(
    run: Run, module: ModuleType, config: Config, data: Data, model: keras.Model
) -> None:
    """Write what is known before training: settings, labels, versions, data, blocks."""
    config = anchored(config)
    write_json(run.path / "config.json", to_dict(config))
    write_json(run.path / "labels.json", data.labels.to_dict())
    write_manifest(
        run,
        recipe=describe_recipe(module),
        state="running",
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        seed=config.seed,
        versions=versions(),
        data={
            "dataset": config.dataset,
            "pairs": data.pairs,
            "fingerprint": data.fingerprint,
            "examples": _examples(data),
            "notes": list(data.notes),
            "audit": dict(data.audit),
        },
        given=changed_settings(config),
        usual=to_dict(type(config)()),
        weights=describe_weights(config),
        blocks=block_rows(model),
    )
    write_history(run, [])


def _examples(data: Data) -> dict[str, int]:
    """Return the number of examples of every split that has a fixed one."""
    parts = {split: getattr(data, split) for split in ("train", "validation", "test")}
    return {split: len(part.y) for split, part in parts.items() if hasattr(part, "y")}


def data_lines(config: Config, data: Data) -> list[str]:
    """Return what a person should know of the data before a training."""
    counts = ", ".join(f"{count:,} {split}" for split, count in _examples(data).items())
    kinds = f" in {len(data.labels.names)} classes" if data.labels.names else ""
    lines = [f"data   {config.dataset}: {counts}{kinds}"]
    return lines + [f"note   {note}" for note in (*data.notes, *config.notes())]


def announce(
    write: Callable[..., None],
    run: Run,
    config: Config,
    data: Data,
    model: keras.Model,
    chosen: Sequence[str],
) -> None:
    """Say what will be trained on what, and what was chosen for it."""
    for line in data_lines(config, data):
        write(line)
    source = config.preset or "built by the recipe"
    write(f"model  {source}{'' if config.pretrained else ' (random weights)'}")
    for line in block_table(model).splitlines():
        write(f"       {line}")
    for phase in plan_phases(config, model):
        plural = "" if phase.epochs == 1 else "s"
        write(
            f"phase  {phase.name}: {phase.epochs} epoch{plural}, {config.optimizer} at "
            f"{number(phase.learning_rate)} ({config.learning_rate_schedule}), "
            f"batches of {config.batch_size}"
        )
    for line in chosen:
        write(line)


@contextlib.contextmanager
def record_failure(run: Run, write: Callable[..., None]) -> Iterator[None]:
    """Leave the reason in the run, whatever ends the training; the error goes on."""
    try:
        yield
    except BaseException as error:  # KeyboardInterrupt and SystemExit are reasons too
        stopped = isinstance(error, (KeyboardInterrupt, SystemExit))
        with open(run.path / "run.log", "a", encoding="utf-8") as log:
            log.write(traceback.format_exc())
        if run.state != "done":  # else a tracker could not be told of it
            state = "interrupted" if stopped else "failed"
            write_manifest(run, state=state, reason=str(error) or repr(error))
            if stopped:
                write(f"stop   interrupted; to go on: {_resume_line(run)}")
        raise


def _resume_line(run: Run) -> str:
    """Return the line with which an interrupted run goes on."""
    recipe, runs_dir = run.manifest["recipe"], run.path.parent.parent
    words = ["kerasft", "fit", str(recipe["source"] or recipe["name"]), "--resume"]
    words += ["--name", run.name]
    words += ["--runs-dir", str(runs_dir)] if str(runs_dir) != "runs" else []
    return shlex.join(words)


class Recorder(keras.callbacks.Callback):
    """Adds each epoch to the run's history.

    Args:
        run: Where to write; None keeps the history in memory. `phase` names the present phase
            and is set from outside.
    """

    def __init__(self, run: Run | None) -> None:
        super().__init__()
        self.run, self.phase, self.began = run, "", 0.0
        self.history: list[dict[str, Any]] = []

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the clock of the epoch."""
        self.began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the history with this epoch."""
        values = {name: float(value) for name, value in (logs or {}).items()}
        seconds = round(time.monotonic() - self.began, 3)
        self.history.append(
            {"epoch": len(self.history) + 1, "phase": self.phase, **values, "seconds": seconds}
        )
        if self.run is not None:
            write_history(self.run, self.history)


def close_record(
    run: Run,
    config: Config,
    data: Data,
    model: keras.Model,
    view: PhaseInputs,
    best_weights: BestWeights,
    write: Callable[..., None],
    began: float,
) -> None:
    """Measure validation and test with the best weights, and close the record.

    What frozen layers gave for the validation split is not computed again.
    """
    write(
        f"best   epoch {(best_weights.best_epoch or 0) + 1} by {best_weights.monitor}: "
        "its weights are kept"
    )
    metrics, outputs = {}, {}
    for split in ("validation", "test"):
        part = getattr(data, split)
        if part is not None:
            kept = split == "validation" and view.model is not model
            predictions = predict_arrays(
                view.model if kept else model,
                view.validation if kept else part.x,
                config.batch_size,
                lengths=text_lengths(part.x) if kept else None,
            )
            metrics[split] = measure(config, data.labels, part.y, predictions)
            outputs[split] = part, predictions
    write_json(run.path / "metrics.json", metrics)
    save_predictions(run, config, data.labels, outputs)
    write_manifest(
        run,
        state="done",
        monitor=best_weights.monitor,
        best_epoch=None if best_weights.best_epoch is None else best_weights.best_epoch + 1,
        seconds=round(time.monotonic() - began, 1),
    )
    plot_curves(run)
